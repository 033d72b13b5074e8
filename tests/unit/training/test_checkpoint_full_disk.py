"""On a full disk, the error names the file, and the previous file remains."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from optuna.trial import TrialState

from multifield.models import save_weights
from multifield.training import train_network, write_losses
from multifield.training.checkpoint import attempts_folder
from multifield.tuning import load_study
from tests.unit.training.examples import HYPERPARAMETERS, config, make_data
from tests.unit.tuning.test_driver import make_folder, outcome, run

resource = pytest.importorskip("resource", reason="needs the limits of a POSIX system")


@contextmanager
def largest_file(n_bytes: int) -> Iterator[None]:
    """Limit the size of files, like a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("share", [0.01, 0.5, 0.999])
def test_no_room_for_a_checkpoint_leaves_the_one_before(share: float, tmp_path: Path) -> None:
    path, before = tmp_path / "checkpoint.pt", []

    def fill(epoch: int, _: object) -> None:
        if epoch == 1:
            before.append(path.read_bytes())
            limits.enter_context(largest_file(int(share * len(before[0]))))

    with ExitStack() as limits, pytest.raises(OSError, match="too large") as caught:
        train_network(make_data(), HYPERPARAMETERS, config(epochs=2), checkpoint=path, report=fill)
    assert caught.value.filename == str(path)
    assert path.read_bytes() == before[0]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("write", "limit"),
    [
        (lambda path, value: save_weights(path, {"a": torch.full((1000,), value)}), 2000),
        (lambda path, value: write_losses(path, np.full((9, 4), value)), 20),
    ],
)
def test_no_room_for_results_leaves_those_before(
    write: Callable[[Path, float], None], limit: int, tmp_path: Path
) -> None:
    path = tmp_path / "results"
    write(path, 1.0)
    before = path.read_bytes()
    with pytest.raises(OSError, match="too large") as caught, largest_file(limit):
        write(path, 2.0)
    assert caught.value.filename == str(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Any, ...]]:
    return outcome(run(make_folder(tmp_path_factory.mktemp("undisturbed")), n_trials=2))


@pytest.mark.parametrize("file", ["weights", "losses", "checkpoint"])
def test_a_study_stops_intact_and_goes_on(
    file: str,
    undisturbed: list[tuple[Any, ...]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder, fsync = make_folder(tmp_path), os.fsync
    attempts = attempts_folder(folder.checkpoint(1)).name
    pattern = {
        "weights": f"{attempts}/*/.weights.pt*.partial",
        "losses": f".{folder.losses(1).name}*.partial",
        "checkpoint": f"{attempts}/*/.checkpoint_*.partial",
    }[file]

    def no_room(descriptor: int) -> None:
        if list(tmp_path.rglob(pattern)):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", no_room)
        with pytest.raises(OSError, match="No space left") as caught:
            run(folder, n_trials=2)
    assert file in Path(caught.value.filename).name
    states = [trial.state for trial in load_study(folder.database).trials]
    assert states == [TrialState.COMPLETE, TrialState.WAITING]
    assert outcome(run(folder, n_trials=2)) == undisturbed
