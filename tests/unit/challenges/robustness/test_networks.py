import json

import pytest
import torch

from multifield.challenges.robustness import PLAIN, NetworkFolder, Task, join_suites, train_or_reuse
from multifield.maps.normalization import NormalizationConfig
from tests.unit.challenges.robustness.examples import make_suite_maps, method
from tests.unit.training.examples import HYPERPARAMETERS, config

OVER = NormalizationConfig(over="training")
SUITES = [make_suite_maps(suite, seed) for seed, suite in enumerate(("MockTNG", "MockSIMBA"))]


@pytest.fixture
def folder(tmp_path):
    return NetworkFolder(tmp_path)


def train(folder, way=PLAIN, **changes):
    task = Task(way, "T", 0.0, ("MockTNG", "MockSIMBA"))
    settings = config(epochs=1, **changes)
    joined = join_suites(SUITES, "T", (0.0,), OVER, settings, {"method": str(way)})
    return train_or_reuse(task, joined, HYPERPARAMETERS, settings, folder)


def no_training(*arguments, **options):
    raise AssertionError("trained again")


def test_a_network_is_trained_once(folder, monkeypatch):
    first = train(folder)
    monkeypatch.setattr("multifield.challenges.robustness.networks.train_network", no_training)
    again = train(folder)
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name]), name


def test_other_settings_are_another_network(folder):
    train(folder)
    train(folder, lr_min=1e-8)
    train(folder, method("aligned", alignment=1.0))
    assert len(list((folder.path / "cards").iterdir())) == 3


def test_threads_are_no_other_settings(folder, monkeypatch):
    train(folder)
    monkeypatch.setattr("multifield.challenges.robustness.networks.train_network", no_training)
    train(folder, loader_threads=2)


def test_a_checkpoint_goes_when_the_network_is_kept(folder):
    train(folder, checkpoint_every=1)
    assert not list((folder.path / "checkpoints").iterdir())


def test_the_card_holds_what_decided_the_numbers(folder):
    train(folder)
    (path,) = (folder.path / "cards").iterdir()
    card = json.loads(path.read_text())
    assert card["run"]["hyperparameters.hidden"] == "1"
    assert card["run"]["data.method"] == str(PLAIN)
    assert len(card["losses"]) == 1


def test_weights_of_another_training_are_refused(folder):
    train(folder)
    (path,) = (folder.path / "weights").iterdir()
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(
        ValueError, match=r"expected the weights of card_MockTNG\+MockSIMBA_T_.*delete both"
    ):
        train(folder)


def test_a_training_without_a_card_is_done_again(folder):
    """As after a kill between weights and card, which is written last."""
    train(folder)
    (path,) = (folder.path / "cards").iterdir()
    path.unlink()
    train(folder)
    assert path.is_file()
