"""Processes that tune one tiny study together; no test.

Run as ``python -m tests.workers <folder> <storage> <n_trials> <seconds an epoch> <signal> <pruners>
<seconds of grace>``, with the credentials of a server as JSON in WORKER_CREDENTIALS. Pruners are names joined
by commas; each has a study in a folder of its own, none one in the folder itself.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from optuna import Study

from multifield.training import TrainingConfig
from multifield.tuning import StudyStorage, TuningConfig, choose_storage, tune
from tests.tolerances import TIME_LIMIT
from tests.unit.training.examples import config, make_data
from tests.unit.tuning.test_trials import FINGERPRINT, TUNING, make_folder

ROOT = Path(__file__).parents[1]
TRAINING = config(epochs=3)
LONGER = config(epochs=5)  # hyperband has rungs after 2 and 4 epochs
READY = "ready\n"
GRACE = 3600.0  # [s] for a machine that is busy; a worker killed here is noticed without it


def settings(n_trials: int, grace: float = GRACE, **changes: Any) -> TuningConfig:
    """Trials drawn at random: what TPE draws depends on who is first."""
    workers = replace(TUNING.workers, heartbeat=0.2, grace=grace)
    given = {"n_trials": n_trials, "n_startup_trials": n_trials, "workers": workers}
    return replace(TUNING, **(given | changes))


def settings_of(pruner: str, n_trials: int) -> TuningConfig:
    """Trials that a pruner may stop, and that TPE draws when three are complete."""
    pruning = replace(TUNING.pruner, name=pruner, n_warmup_epochs=1, n_startup_trials=1)
    return settings(n_trials, pruner=pruning, n_startup_trials=3)


def storage_of(
    folder: Path, storage: str, credentials: dict[str, Any] | None = None
) -> StudyStorage:
    return choose_storage(storage, make_folder(folder), credentials)


def tune_here(
    folder: Path,
    storage: str,
    tuning: TuningConfig,
    training: TrainingConfig,
    credentials: dict[str, Any] | None = None,
    **watchers: Any,
) -> Study:
    """Tune in this process."""
    return tune(
        make_data(),
        make_folder(folder),
        tuning,
        training,
        fingerprint=FINGERPRINT,
        storage=storage_of(folder, storage, credentials),
        **watchers,
    )


@contextmanager
def start(
    n_workers: int,
    folder: Path,
    storage: str,
    n_trials: int,
    *,
    pause: float,
    credentials: dict[str, Any] | None = None,
    signals: tuple[int, ...] = (),
    pruners: str = "",
    grace: float = GRACE,
) -> Iterator[list[subprocess.Popen[str]]]:
    """Start workers, which end with the block; `pause` lengthens each epoch, [s].

    All begin once the last has started, and take one that is silent for more than `grace`, [s], for dead. The
    first of them get `signals`, each in the first second epoch of a trial that it trains; the others begin
    when each of these has a trial.
    """
    with ExitStack() as stack:
        numbers = [*signals, *[0] * (n_workers - len(signals))]
        given = (folder, storage, n_trials, pause, credentials, pruners, grace)
        workers = [_start(*given, signum) for signum in numbers]
        for worker in workers:
            stack.enter_context(worker)
            stack.callback(worker.kill)
        for worker in workers:
            _wait_until_ready(worker)
        for number, worker in enumerate(workers):
            if number == len(signals):
                _wait_until_begun(folder, len(signals))
            assert worker.stdin is not None
            worker.stdin.write("\n")
            worker.stdin.flush()
        yield workers


def _start(
    folder: Path,
    storage: str,
    n_trials: int,
    pause: float,
    credentials: dict[str, Any] | None,
    pruners: str,
    grace: float,
    signum: int,
) -> subprocess.Popen[str]:
    paths = os.pathsep.join([str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.workers",
            str(folder),
            storage,
            str(n_trials),
            str(pause),
            str(signum),
            pruners,
            str(grace),
        ],
        env=os.environ
        | {
            "PYTHONPATH": paths,
            "OMP_NUM_THREADS": "1",
            "WORKER_CREDENTIALS": json.dumps(credentials or {}),
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _wait_until_ready(worker: subprocess.Popen[str]) -> None:
    assert worker.stdout is not None
    said = []
    for line in worker.stdout:
        if line == READY:
            return
        said.append(line)
    raise AssertionError("".join(said))


def _wait_until_begun(folder: Path, n_workers: int) -> None:
    """Wait until each that gets a signal has a trial for it: the others could leave it none."""
    deadline = time.monotonic() + TIME_LIMIT
    while len(list(folder.glob("begun_*"))) < n_workers:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def main(
    folder: str, storage: str, n_trials: str, pause: str, signum: str, pruners: str, grace: str
) -> None:
    """Tune once a line comes in, and say after each epoch which."""

    def say(trial: Any, epoch: int, losses: object) -> None:
        sys.stdout.write(f"trial {trial.number} epoch {epoch}\n")
        sys.stdout.flush()
        if epoch <= 1 and int(signum):  # the signal will come in this trial
            Path(folder, f"begun_{os.getpid()}").touch()
        time.sleep(float(pause))
        if epoch == 1 and int(signum):
            os.kill(os.getpid(), int(signum))

    credentials = json.loads(os.environ["WORKER_CREDENTIALS"])
    sys.stdout.write(READY)
    sys.stdout.flush()
    sys.stdin.readline()
    for pruner in pruners.split(","):
        path, training = Path(folder, pruner), TRAINING
        tuning = settings(int(n_trials), float(grace))
        if pruner:
            tuning, training = settings_of(pruner, int(n_trials)), LONGER
        tune_here(path, storage, tuning, training, credentials, on_epoch=say)


if __name__ == "__main__":
    main(*sys.argv[1:])
