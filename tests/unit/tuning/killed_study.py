"""Tune studies that are killed at random moments and started again; no test.

``python -m tests.unit.tuning.killed_study FOLDER N_KILLS`` prints how many kills each study survived.
"""

import sys
import tempfile
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch._dynamo  # what else an optimizer imports in each child

from multifield.models import ModelFolder
from multifield.tuning import open_study, suggest, tune
from tests.forks import end_of, fork, repeat_until_done
from tests.unit.training.examples import config, make_data
from tests.unit.tuning.test_driver import TUNING, make_folder

STUDY = replace(TUNING, n_trials=4)
TRAINING = config(epochs=4)


def run(folder: ModelFolder) -> None:
    tune(make_data(), folder, STUDY, TRAINING, fingerprint={"suite": "MockNbody"})


def warm_up() -> None:
    """Let Optuna import what it imports late, in a study that is thrown away."""
    with tempfile.TemporaryDirectory() as path:
        study = open_study(make_folder(Path(path)).database, STUDY)
        for _ in range(3):
            trial = study.ask()
            suggest(trial, STUDY.search_space)
            study.tell(trial, 1.0)


def main(path: Path, n_kills: int) -> None:
    warm_up()
    start = time.monotonic()
    assert end_of(fork(partial(run, make_folder(path / "undisturbed")))) == 0
    seconds = time.monotonic() - start
    # a study takes some ten lives, so that kills come at all its moments, and before it has begun again
    longest = 0.4 * seconds
    rng = np.random.default_rng(20261124)
    delays = iter(lambda: float(rng.uniform(0, longest)), None)
    kills: list[int] = []
    while sum(kills) < n_kills:
        folder = make_folder(path / f"killed_{len(kills)}")
        kills.append(repeat_until_done(partial(run, folder), delays, n_kills - sum(kills)))
        if not kills[-1]:  # the undisturbed one had to wait for the processor
            longest /= 2
    print(*kills)  # noqa: T201


if __name__ == "__main__":
    assert torch._dynamo
    main(Path(sys.argv[1]), int(sys.argv[2]))
