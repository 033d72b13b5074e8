"""Train networks that are killed at random moments and while they write checkpoints; no test.

``python -m tests.unit.training.killed_training FOLDER N_KILLS`` leaves the results of each in the folder.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch._dynamo  # what else an optimizer imports in each child

from multifield.models.weights import save_whole
from multifield.training import train_network
from tests.forks import end_of, fork, repeat_until_done
from tests.unit.training.examples import HYPERPARAMETERS, config, make_data

WRITES = 2  # the checkpoint at which a training is killed in the midst of it


def run(folder: Path, epochs: int) -> None:
    trained = train_network(
        make_data(), HYPERPARAMETERS, config(epochs=epochs), checkpoint=folder / "checkpoint.pt"
    )
    results = {"state": trained.state, "losses": torch.from_numpy(trained.losses)}
    save_whole(folder / "results.pt", results)


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def on_call(number: int, original: Callable[..., Any], instead: Callable[..., Any]) -> Any:
    """A function that does something else when it is called for the last of so many times."""
    calls: list[None] = []

    def counted(*arguments: Any, **options: Any) -> Any:
        calls.append(None)
        return (instead if len(calls) == number else original)(*arguments, **options)

    return counted


def write_half(content: object, file: Any) -> None:
    original_save(content, file)
    file.flush()
    os.truncate(file.fileno(), file.tell() // 2)
    die()


def rename_and_die(source: Path, target: Path) -> None:
    original_replace(source, target)
    die()


original_save, original_replace = torch.save, Path.replace
MOMENTS: dict[str, Callable[[], None]] = {
    "half_written": lambda: setattr(torch, "save", on_call(WRITES, torch.save, write_half)),
    "not_renamed": lambda: setattr(os, "fsync", on_call(WRITES, os.fsync, die)),
    "renamed": lambda: setattr(Path, "replace", on_call(WRITES, Path.replace, rename_and_die)),
}


def run_and_die(moment: str, folder: Path, epochs: int) -> None:
    MOMENTS[moment]()
    run(folder, epochs)


def main(path: Path, n_kills: int) -> None:
    start = time.monotonic()
    assert end_of(fork(partial(run, path / "undisturbed", 12))) == 0
    seconds = time.monotonic() - start
    rng = np.random.default_rng(20261124)
    delays = iter(lambda: float(rng.uniform(0, 0.4 * seconds)), None)
    repeat_until_done(partial(run, path / "at_random", 12), delays, n_kills)
    for moment in MOMENTS:
        folder = path / moment
        code = end_of(fork(partial(run_and_die, moment, folder, 12)))
        assert code == -signal.SIGKILL, f"{moment}: ended with {code}"
        (folder / "left").write_text(" ".join(sorted(each.name for each in folder.iterdir())))
        assert end_of(fork(partial(run, folder, 12))) == 0


if __name__ == "__main__":
    assert torch._dynamo
    main(Path(sys.argv[1]), int(sys.argv[2]))
