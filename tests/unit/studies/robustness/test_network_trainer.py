import json
import signal

import pytest
import torch

from multifield.config.data import NormalizationConfig
from multifield.config.studies import PLAIN
from multifield.studies.robustness import NetworkFolder, NetworkTrainer, Task, join_suites
from multifield.training import (
    InProcessExecutor,
    TrainingInterrupted,
    TrainingProgress,
    train_step,
)
from tests.unit.studies.robustness.examples import make_suite_maps, method
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
    progress = TrainingProgress("networks", 1, 1)
    trainer = NetworkTrainer(folder, HYPERPARAMETERS, InProcessExecutor(), progress)
    return trainer.load(trainer.request(task, joined, settings))


def no_training(*arguments, **options):
    raise AssertionError("trained again")


def test_a_network_is_trained_once(folder, monkeypatch):
    first = train(folder)
    monkeypatch.setattr("multifield.training.task.train_network", no_training)
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
    monkeypatch.setattr("multifield.training.task.train_network", no_training)
    train(folder, loader_threads=2)


def test_a_checkpoint_goes_when_the_network_is_kept(folder):
    train(folder, checkpoint_every=1)
    assert not list((folder.path / "checkpoints").iterdir())


def test_the_card_holds_what_decided_the_numbers(folder):
    train(folder)
    (path,) = (folder.path / "cards").iterdir()
    card = json.loads(path.read_text())
    assert card["run"]["hyperparameters.hidden"] == "1"
    assert card["run"]["method"] == str(PLAIN)
    assert len(card["losses"]) == 1


def test_weights_of_another_training_are_refused(folder):
    train(folder)
    (path,) = (folder.path / "weights").iterdir()
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(
        ValueError, match=r"Expected the weights of card_MockTNG\+MockSIMBA_T_.*Delete both"
    ):
        train(folder)


def test_a_training_without_a_card_is_repeated(folder):
    """This is the state after a kill between weights and card, which is written last."""
    train(folder)
    (path,) = (folder.path / "cards").iterdir()
    path.unlink()
    train(folder)
    assert path.is_file()


def test_an_interrupted_training_ends_with_the_same_bits(folder, tmp_path, monkeypatch):
    """The objective draws noise from generators whose states are in the checkpoint."""
    way = method("all_of_it", noise=0.3, offset=0.2, contrast=0.1, alignment=1.0)
    undisturbed = train(NetworkFolder(tmp_path / "undisturbed"), way)
    n_steps = 0

    def stop_in_between(*arguments, **options):
        nonlocal n_steps
        n_steps += 1
        if n_steps == 4:
            raise TrainingInterrupted(signal.SIGTERM)
        return train_step(*arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr("multifield.training.loop.train_step", stop_in_between)
        with pytest.raises(TrainingInterrupted):
            train(folder, way)
    assert list((folder.path / "checkpoints").iterdir())
    resumed = train(folder, way).state_dict()
    for name, tensor in undisturbed.state_dict().items():
        assert torch.equal(tensor, resumed[name]), name
