from pathlib import Path
from typing import Any

import pytest

from multifield.models import ModelFolder, O3Err
from multifield.pipelines.train import nodes
from multifield.training import NonFiniteLoss
from tests.unit.training.examples import HYPERPARAMETERS, config, make_data

FOLDER = ("MockNbody", "Mtot", "all_steps_4_4_o3")


def test_the_checkpoint_is_kept_until_the_network_is_stored(tmp_path: Path) -> None:
    folder = ModelFolder(tmp_path, *FOLDER)
    _, losses = nodes.train_network(make_data(), HYPERPARAMETERS, config(epochs=1), folder)
    assert folder.checkpoint("single").is_file()
    nodes.remove_checkpoint(folder, O3Err(1, 0.2, 1, 16), losses)
    assert not folder.checkpoint("single").exists()


def test_a_training_that_cannot_go_on_leaves_no_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverge(*_: object, checkpoint: Path, **__: Any) -> None:
        checkpoint.parent.mkdir()
        checkpoint.touch()
        raise NonFiniteLoss("loss: got nan in step 3")

    folder = ModelFolder(tmp_path, *FOLDER)
    monkeypatch.setattr("multifield.training.train_network", diverge)
    with pytest.raises(NonFiniteLoss, match="step 3"):
        nodes.train_network(make_data(), HYPERPARAMETERS, config(), folder)
    assert not folder.checkpoint("single").exists()
