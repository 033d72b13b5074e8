"""Trainings as tasks: what is pickled, and what attempts leave behind."""

import os
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from multifield.maps.memory import MappedArray
from multifield.training import (
    EpochLosses,
    NonFiniteLoss,
    TrainingInterrupted,
    TrainingTask,
    run_task,
    task,
    train_network,
    train_on_workers,
)
from multifield.training.checkpoint import attempts_folder
from tests.unit.training.examples import HERE, HYPERPARAMETERS, config, make_data

CONFIG = config(epochs=2)


@pytest.fixture
def trained(tmp_path: Path) -> TrainingTask:
    """A prepared task with its maps in files."""
    made = TrainingTask(
        name="trial 3",
        data=make_data(folder=tmp_path / "maps"),
        hyperparameters=HYPERPARAMETERS,
        config=CONFIG,
        seed=7,
        checkpoint=tmp_path / "checkpoints" / "c.pt",
    )
    made.prepare()
    return made


def test_it_gives_what_a_training_gives(trained: TrainingTask) -> None:
    expected = train_network(make_data(), HYPERPARAMETERS, CONFIG, seed=7)
    result = run_task(trained)
    np.testing.assert_array_equal(result.losses, expected.losses)
    assert result.best_epoch == expected.best_epoch
    state = result.load_state()
    assert all(state[name].equal(tensor) for name, tensor in expected.state.items())


def test_it_reports_parts_of_epochs(trained: TrainingTask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task, "STEP_PERIOD", 0.0)
    steps: list[float] = []
    run_task(trained, on_step=steps.append)
    n_batches = len(steps) // CONFIG.epochs
    assert n_batches > 1
    np.testing.assert_allclose(steps, (np.arange(len(steps)) + 1) / n_batches)
    assert steps[-1] == CONFIG.epochs


def test_only_paths_of_maps_cross_to_another_process(trained: TrainingTask) -> None:
    n_bytes = sum(each.array.nbytes for each in trained.data.train._maps)
    packed = pickle.dumps(trained)
    assert len(packed) < n_bytes / 10
    other = pickle.loads(packed)
    assert all(isinstance(each.array, MappedArray) for each in other.data.train._maps)
    np.testing.assert_array_equal(run_task(other).losses, run_task(trained).losses)


def test_tasks_of_the_same_data_open_them_once(trained: TrainingTask) -> None:
    packed = pickle.dumps(trained), pickle.dumps(replace(trained, seed=8))
    first, second = map(pickle.loads, packed)
    assert first.data is second.data
    assert (first.seed, second.seed) == (7, 8)


def test_maps_in_memory_are_refused(trained: TrainingTask) -> None:
    with pytest.raises(TypeError, match=r"These maps are in memory .* workers=1"):
        pickle.dumps(replace(trained, data=make_data()))


def test_a_machine_that_does_not_see_the_maps_is_named(
    trained: TrainingTask, tmp_path: Path
) -> None:
    packed = pickle.dumps(trained)
    shutil.rmtree(tmp_path / "maps")
    with pytest.raises(FileNotFoundError, match=r"Workers must see the driver's files.*maps_0"):
        pickle.loads(packed)


def test_maps_that_changed_meanwhile_are_refused(trained: TrainingTask, tmp_path: Path) -> None:
    packed = pickle.dumps(trained)
    os.utime(tmp_path / "maps" / "maps_0.npy", ns=(0, 0))
    with pytest.raises(ValueError, match="Expected the file that the driver opened"):
        pickle.loads(packed)


def test_a_machine_that_does_not_see_the_model_folder_is_named(trained: TrainingTask) -> None:
    trained.clean()
    with pytest.raises(FileNotFoundError, match="Workers must see the driver's model folder"):
        run_task(trained)


def test_a_stop_leaves_a_checkpoint_and_no_attempt(trained: TrainingTask) -> None:
    asked = iter([False] * 5 + [True])
    with pytest.raises(TrainingInterrupted):
        run_task(trained, asked_to_stop=lambda: next(asked))
    assert trained.checkpoint.is_file()
    assert not list(trained.attempts.iterdir())
    expected = train_network(make_data(), HYPERPARAMETERS, CONFIG, seed=7)
    np.testing.assert_array_equal(run_task(trained).losses, expected.losses)


def test_an_attempt_that_was_given_up_writes_nothing_any_more(trained: TrainingTask) -> None:
    """A worker is suspended, replaced, and resumes."""
    result: list[task.TaskResult] = []

    def sleep(epoch: int, losses: EpochLosses) -> bool:
        if not result:
            result.append(run_task(trained))
        return False

    with pytest.raises(FileNotFoundError):
        run_task(trained, on_epoch=sleep)
    assert list(trained.attempts.iterdir()) == [result[0].weights.parent]  # type: ignore[union-attr]
    result[0].load_state()


def test_nothing_is_left_when_it_is_cleaned(trained: TrainingTask) -> None:
    run_task(trained)
    trained.clean()
    assert not list(trained.checkpoint.parent.iterdir())


def test_a_training_that_diverges_has_no_checkpoint(
    trained: TrainingTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverge(*_: object, **__: object) -> None:
        trained.checkpoint.touch()
        raise NonFiniteLoss

    monkeypatch.setattr(task, "train_network", diverge)
    with pytest.raises(NonFiniteLoss):
        train_on_workers(trained, HERE)
    assert not trained.checkpoint.exists()
    assert not attempts_folder(trained.checkpoint).exists()
