"""Script, not a test: kill studies at random moments and start them again.

``python -m tests.unit.tuning.killed_study FOLDER N_KILLS`` prints how many kills each study
survived. It runs in its own process and forks, so that imports are paid once. Processes with
threads, or in which PyTorch has computed, must not fork.
"""

import math
import signal
import sys
import tempfile
import time
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch._dynamo  # what else an optimizer imports in each child

from multifield.models import ModelFolder
from multifield.tuning import open_study, suggest, tune
from tests.unit.training.examples import config, make_data
from tests.unit.tuning.test_driver import TUNING, make_folder

STUDY = replace(TUNING, n_trials=4)
TRAINING = config(epochs=4)


def run(folder: ModelFolder) -> None:
    tune(make_data(), folder, STUDY, TRAINING, fingerprint={"suite": "MockNbody"})


def run_or_be_killed(folder: ModelFolder, seconds: float = math.inf) -> bool:
    """Tune in a child process that is killed after a while; return whether it ended before."""
    child = get_context("fork").Process(target=run, args=(folder,))
    child.start()
    child.join(None if math.isinf(seconds) else seconds)
    child.kill()
    child.join()
    assert child.exitcode in (0, -signal.SIGKILL)
    return child.exitcode == 0


def warm_up() -> None:
    """Import what Optuna imports late, by tuning a temporary study."""
    with tempfile.TemporaryDirectory() as path:
        study = open_study(make_folder(Path(path)).database, STUDY)
        for _ in range(3):
            trial = study.ask()
            suggest(trial, STUDY.search_space)
            study.tell(trial, 1.0)


def main(path: Path, n_kills: int) -> None:
    warm_up()
    start = time.monotonic()
    assert run_or_be_killed(make_folder(path / "undisturbed"))
    # a study takes some ten lives, so that kills come at all its moments, and before it has begun again
    longest = 0.4 * (time.monotonic() - start)
    rng = np.random.default_rng(20261124)
    kills: list[int] = []
    while sum(kills) < n_kills:
        folder = make_folder(path / f"killed_{len(kills)}")
        kills.append(0)
        while not run_or_be_killed(
            folder, rng.uniform(0, longest) if sum(kills) < n_kills else math.inf
        ):
            kills[-1] += 1
        if not kills[-1]:  # the undisturbed one had to wait for the processor
            longest /= 2
    print(*kills)  # noqa: T201


if __name__ == "__main__":
    assert torch._dynamo
    main(Path(sys.argv[1]), int(sys.argv[2]))
