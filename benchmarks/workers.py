"""Time workers that share one study: two against one, and 32 that contend for trials without training.

Then count what 32 live tables cost the server while trials run.

Run ``python -m benchmarks.workers`` in the repository on idle cores; ``--quick`` asserts the answers with
fewer trials. Every worker is a process with one thread. They are timed from when all are ready, since a
process takes seconds to import PyTorch and a trial takes hours.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.measure import Section, markdown_table, options, say, write_report
from multifield.training import EpochLosses, TrainedNetwork, TrainingConfig, train_network
from multifield.tuning import TuningProgress, choose_storage, load_study, trials, tune
from multifield.tuning.progress import LOOK_PERIOD
from tests.postgresql import find_programs, run_server
from tests.unit.training.examples import config, make_data
from tests.unit.tuning.test_trials import FINGERPRINT, TUNING, make_folder

SERVER = "postgresql+psycopg://"
TARGET = 1.7  # times as fast as one, for two workers on two cores
N_CROWD = 32  # workers that contend
EPOCH = 1.0  # [s] of an epoch without training
SETTLING = 15.0  # [s] until a crowd has begun its trials


def settings(n_trials: int) -> Any:
    """All drawn at random, of one width, so that the trials are equally long."""
    space = replace(TUNING.search_space, hidden=replace(TUNING.search_space.hidden, low=2, high=2))
    workers = replace(TUNING.workers, heartbeat=10, grace=60)
    return replace(
        TUNING, n_trials=n_trials, n_startup_trials=n_trials, search_space=space, workers=workers
    )


# ---- one worker: python -m benchmarks.workers --worker <json> ----


def work(given: dict[str, Any]) -> None:
    """Get ready, wait for a line, tune, and say how long it took, [s]."""
    training: TrainingConfig = config(epochs=given["epochs"])
    data, folder = make_data(given["n_train"]), make_folder(Path(given["folder"]))
    trained = train_network(
        make_data(), trials.Hyperparameters(lr=1e-3, wd=1e-3, dr=0.1, hidden=1), training
    )
    if given["empty"]:  # everything but the training itself
        trials.train_network = partial(pretend, trained, given["epochs"])
    storage = choose_storage(given["storage"], folder, given["credentials"])
    mine: list[int] = []
    screen = Console(file=StringIO(), force_terminal=True, width=80)
    say("ready")
    sys.stdin.readline()
    with TuningProgress(given["n_trials"], given["epochs"], screen) as progress:
        tune(
            data,
            folder,
            settings(given["n_trials"]),
            training,
            fingerprint=FINGERPRINT,
            storage=storage,
            on_look=progress.on_look,
            on_begin=progress.on_begin,
            on_epoch=progress.on_epoch,
            on_trial_end=lambda _, trial: mine.append(trial.number),
        )
    say(json.dumps({"end": time.time(), "trials": mine}))


def pretend(
    trained: TrainedNetwork, epochs: int, *_: object, report: Any, **__: object
) -> TrainedNetwork:
    """Do all that a training does for its study; a single epoch takes no time."""
    for epoch in range(epochs):
        report(epoch, EpochLosses(*trained.losses[0, 1:]))
        time.sleep(EPOCH if epochs > 1 else 0)
    return trained


def run(
    n_workers: int,
    given: dict[str, Any],
    meanwhile: Callable[[], None] | None = None,
    n_studies: int = 1,
) -> float:
    """Let workers finish studies that share the trials, none lost or doubled; give the time [s]."""
    command = [sys.executable, "-m", "benchmarks.workers", "--worker"]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        studies = [
            given | {"folder": f"{folder}/{k}", "n_trials": given["n_trials"] // n_studies}
            for k in range(n_studies)
        ]
        workers = [
            stack.enter_context(
                subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    env=os.environ
                    | {
                        "OMP_NUM_THREADS": "1",
                        "MULTIFIELD_WORKER": json.dumps(studies[k % n_studies]),
                    },
                )
            )
            for k in range(n_workers)
        ]
        for worker in workers:
            assert worker.stdout is not None
            while worker.stdout.readline().strip() != "ready":
                assert worker.poll() is None, "a worker did not start"
        begin = time.time()
        said = _go(workers, meanwhile)
        results = [json.loads(each.strip().splitlines()[-1]) for each in said]
        for k, study in enumerate(studies):
            _check(results[k::n_studies], study)
        return max(result["end"] for result in results) - begin


def _go(workers: list[subprocess.Popen[str]], meanwhile: Callable[[], None] | None) -> list[str]:
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    if meanwhile is not None:
        meanwhile()
    return [worker.communicate()[0] for worker in workers]


def _check(results: list[dict[str, Any]], given: dict[str, Any]) -> None:
    numbers = sorted(number for result in results for number in result["trials"])
    assert numbers == list(range(given["n_trials"])), f"lost or doubled: {numbers}"
    folder = make_folder(Path(given["folder"]))
    assert folder.trials_with_weights() == tuple(numbers)
    study = load_study(choose_storage(given["storage"], folder, given["credentials"]))
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * len(numbers)


# ---- the measurements ----


def compare_two_with_one(section: Section, n_trials: int, n_runs: int) -> None:
    """Time light trials, one worker and two in turns."""
    given = {
        "storage": "sqlite",
        "credentials": {},
        "n_trials": n_trials,
        "n_train": 20,
        "epochs": 4,
        "empty": False,
    }
    rows = []
    for _ in range(n_runs):
        one, two, apart = run(1, given), run(2, given), run(2, given, n_studies=2)
        rows.append(
            (
                *(f"{seconds:.1f}" for seconds in (one, two, apart)),
                f"**{one / two:.2f}**",
                f"{one / apart:.2f}",
                f"{TARGET:g}",
            )
        )
    header = (
        *("one worker [s]", "two workers [s]", "two that share nothing [s]"),
        *("times as fast", "those that share nothing", "asked for"),
    )
    section.add(
        "",
        f"### {n_trials} light trials on sqlite, one thread a worker",
        "",
        "Two workers that share nothing have a study each, of half the trials: what the machine allows.",
        "",
        *markdown_table(header, rows),
    )


def time_crowd(section: Section, n_trials: int) -> None:
    """Let a crowd of workers run trials without training on a server of its own."""
    programs = find_programs()
    assert programs is not None, "needs PostgreSQL; Debian: apt-get install postgresql"
    rows = []
    for n_workers in (1, N_CROWD):
        with run_server(programs) as credentials:
            given = {
                "storage": SERVER,
                "credentials": credentials,
                "n_trials": n_trials,
                "n_train": 2,
                "epochs": 1,
                "empty": True,
            }
            seconds = run(n_workers, given)
        rows.append(
            (str(n_workers), str(n_trials), f"{seconds:.1f}", f"{n_trials / seconds:.1f}", "0", "0")
        )
    section.add(
        "",
        "### Trials without training on PostgreSQL, adding them included",
        "",
        *markdown_table(("workers", "trials", "[s]", "trials a second", "lost", "doubled"), rows),
    )


def count_readings(section: Section, seconds: float) -> None:
    """Count the transactions of a server while a crowd with live tables does nothing but train."""
    programs = find_programs()
    assert programs is not None, "needs PostgreSQL; Debian: apt-get install postgresql"
    counts: list[int] = []

    def meanwhile() -> None:
        time.sleep(SETTLING)
        counts.append(count_transactions(credentials))
        time.sleep(seconds)
        counts.append(count_transactions(credentials))

    with run_server(programs) as credentials:
        given = {
            "storage": SERVER,
            "credentials": credentials,
            "n_trials": N_CROWD,
            "n_train": 2,
            "epochs": int((seconds + 2 * SETTLING) / EPOCH),
            "empty": True,
        }
        run(N_CROWD, given, meanwhile)
    n_transactions = counts[1] - counts[0]
    asked = seconds / LOOK_PERIOD
    section.add(
        "",
        f"### {N_CROWD} live tables on PostgreSQL while {N_CROWD} trials run",
        "",
        *markdown_table(
            ("[s]", "transactions", "readings of the study meant"),
            [(f"{seconds:g}", str(n_transactions), f"{asked:g}")],
        ),
    )


def count_transactions(credentials: dict[str, Any]) -> int:
    """Ask a server for its transactions so far, after those of the sessions that ended."""
    import psycopg

    options = {("user" if k == "username" else k): v for k, v in credentials.items()}
    query = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = %s"
    with psycopg.connect(**options) as connection:
        row = connection.execute(query, [credentials["dbname"]]).fetchone()
    assert row is not None
    return int(row[0])


def main() -> None:
    """Read the command line, and measure."""
    if sys.argv[1:] == ["--worker"]:
        work(json.loads(os.environ["MULTIFIELD_WORKER"]))
        return
    parser: argparse.ArgumentParser = options(__doc__)
    asked = parser.parse_args()
    section = Section("benchmarks/workers.py")
    compare_two_with_one(section, 4 if asked.quick else 24, 1 if asked.quick else 3)
    time_crowd(section, 64 if asked.quick else 320)
    count_readings(section, 10 if asked.quick else 320)
    if asked.report:
        say(str(write_report(section)))


if __name__ == "__main__":
    main()
