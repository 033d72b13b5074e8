"""Time workers that share one study: two against one, and 32 that contend for trials without training.

Then count what 32 live tables cost the server while trials run, and time what grows with a study.

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
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from io import StringIO
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
from optuna import Study, Trial
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial
from rich.console import Console

from benchmarks.measure import Section, markdown_table, options, say, write_report
from multifield.training import EpochLosses, TrainingConfig, train_network
from multifield.tuning import (
    StudyStorage,
    TuningConfig,
    TuningProgress,
    choose_storage,
    load_study,
    open_study,
    trials,
    tune,
)
from multifield.tuning.progress import LOOK_PERIOD
from multifield.tuning.storage import close_connections
from tests.postgresql import find_programs, run_server
from tests.unit.training.examples import config, make_data
from tests.unit.tuning.test_trials import FINGERPRINT, TUNING, make_folder

SERVER = "postgresql+psycopg://"
TARGET = 1.7  # times as fast as one, for two workers on two cores
N_CROWD = 32  # workers that contend


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
        trials.train_network = lambda *_, report, **__: report(0, trained.losses[0, 1:]) or trained
    storage = choose_storage(given["storage"], folder, given["credentials"])
    mine: list[int] = []
    say("ready")
    sys.stdin.readline()
    tune(
        data,
        folder,
        settings(given["n_trials"]),
        training,
        fingerprint=FINGERPRINT,
        storage=storage,
        on_trial_end=lambda _, trial: mine.append(trial.number),
    )
    say(json.dumps({"end": time.time(), "trials": mine}))


def run(n_workers: int, given: dict[str, Any], n_studies: int = 1) -> float:
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
        results = [json.loads(each.strip().splitlines()[-1]) for each in _go(workers)]
        for k, study in enumerate(studies):
            _check(results[k::n_studies], study)
        return max(result["end"] for result in results) - begin


def _go(workers: list[subprocess.Popen[str]]) -> list[str]:
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
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


def watch(study: Study, number: int, seconds: int, ready: Barrier) -> None:
    """Do what a worker does for its table while it trains: show an epoch each second."""
    screen = Console(file=StringIO(), force_terminal=True, width=80)
    progress = TuningProgress(N_CROWD, seconds, screen)
    shown = study.get_trials(deepcopy=False)
    trial = Trial(study, shown[number]._trial_id)
    progress.on_look(shown)
    progress.on_begin(trial)
    close_connections(study._storage)
    ready.wait()
    for epoch in range(seconds):
        time.sleep(1.0)
        progress.on_epoch(trial, epoch, EpochLosses(0.0, 0.0, 0.0))
        close_connections(study._storage)


def count_readings(section: Section, seconds: int) -> None:
    """Count what the live tables of a crowd cost a server, with nothing else going on there.

    Each has a thread and a storage of its own in this process; the server cannot tell them from processes.
    """
    programs = find_programs()
    assert programs is not None, "needs PostgreSQL; Debian: apt-get install postgresql"
    with run_server(programs) as credentials, tempfile.TemporaryDirectory() as path:
        place = choose_storage(SERVER, make_folder(Path(path)), credentials)
        begun = open_study(place, settings(N_CROWD))
        for _ in range(N_CROWD):
            begun.ask()
        ready = Barrier(N_CROWD + 1)
        with ThreadPoolExecutor(N_CROWD) as pool:
            tables = [
                pool.submit(watch, open_study(place, settings(N_CROWD)), number, seconds, ready)
                for number in range(N_CROWD)
            ]
            before = count_transactions(credentials)
            ready.wait()
            for table in tables:
                table.result()
        n_transactions = count_transactions(credentials) - before
    section.add(
        "",
        f"### {N_CROWD} live tables on PostgreSQL while {N_CROWD} trials run",
        "",
        *markdown_table(
            ("[s]", "readings meant", "transactions, two a reading", "a second"),
            [
                (
                    str(seconds),
                    f"{seconds / LOOK_PERIOD:g}",
                    str(n_transactions),
                    f"{n_transactions / seconds:.2f}",
                )
            ],
        ),
    )


def time_growth(section: Section, sizes: tuple[int, ...]) -> None:
    """Time what one worker asks of a server, in studies of which half is complete and half waits."""
    programs = find_programs()
    assert programs is not None, "needs PostgreSQL; Debian: apt-get install postgresql"
    rows = []
    with run_server(programs) as credentials, tempfile.TemporaryDirectory() as path:
        for n_trials in sizes:
            folder = replace(make_folder(Path(path)), label=f"of_{n_trials}")
            place = choose_storage(SERVER, folder, credentials)
            tuning = replace(settings(n_trials), n_startup_trials=10)
            study = open_study(place, tuning)
            fill(study, n_trials, tuning)
            rows.append((str(n_trials), *(f"{1e3 * each:.0f}" for each in ask(place, tuning))))
    section.add(
        "",
        "### One worker, PostgreSQL: milliseconds, the fastest of a few",
        "",
        *markdown_table(
            ("trials, half of them waiting", "first reading", "a look", "drawing a trial"), rows
        ),
    )


def fill(study: Study, n_trials: int, tuning: TuningConfig) -> None:
    """Complete half of the trials and let the others wait."""
    space, rng = tuning.search_space, np.random.default_rng(1)
    distributions = {
        "lr": FloatDistribution(space.lr.low, space.lr.high, log=True),
        "wd": FloatDistribution(space.wd.low, space.wd.high, log=True),
        "dr": FloatDistribution(space.dr.low, space.dr.high),
        "hidden": IntDistribution(space.hidden.low, space.hidden.high),
    }
    for number in range(n_trials):
        if number >= n_trials // 2:
            study.add_trial(create_trial(state=TrialState.WAITING))
            continue
        params = {"lr": 1e-3, "wd": 1e-4, "dr": float(rng.uniform(0, 0.9)), "hidden": 2}
        study.add_trial(
            create_trial(params=params, distributions=distributions, value=float(rng.normal()))
        )


def ask(place: StudyStorage, tuning: TuningConfig) -> tuple[float, float, float]:
    """Time a first reading, a look for a trial, and a draw of its hyperparameters, [s]."""
    first, look, draw = [], [], []
    for _ in range(3):
        study = open_study(place, tuning)
        first.append(elapsed(lambda: study.get_trials(deepcopy=False)))  # noqa: B023
        look += [elapsed(lambda: study.get_trials(deepcopy=False)) for _ in range(3)]  # noqa: B023
        trial = study.ask()
        draw.append(elapsed(lambda: trials.suggest(trial, tuning.search_space)))  # noqa: B023
        study.tell(trial, 0.0)
    return min(first), min(look), min(draw)


def elapsed(call: Callable[[], object]) -> float:
    """Time a call, [s]."""
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def count_transactions(credentials: dict[str, Any]) -> int:
    """Ask a server for its transactions so far; opening a connection is one, its own cleaning is none."""
    import psycopg

    time.sleep(2.0)  # sessions report once a second at most
    options = {("user" if k == "username" else k): v for k, v in credentials.items()}
    query = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = %s"
    with psycopg.connect(**options, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET autovacuum = off")
        connection.execute("SELECT pg_reload_conf()")
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
    count_readings(section, 5 if asked.quick else 320)
    time_growth(section, (20,) if asked.quick else (100, 1000, 3000))
    if asked.report:
        say(str(write_report(section)))


if __name__ == "__main__":
    main()
