"""A training as a task: what a worker needs to know, what it does, and what it gives back."""

import pickle
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from multifield.config.training import ExecutionConfig, Hyperparameters, TrainingConfig
from multifield.data import SplitLoaders
from multifield.models import StateDict, load_state, save_weights
from multifield.models.registry import import_architecture, place_of_architecture
from multifield.training.checkpoint import (
    attempts_folder,
    remove_checkpoint,
)
from multifield.training.executor import open_executor
from multifield.training.loop import Report, log_epoch, train_network
from multifield.training.loss_files import Losses
from multifield.training.step import NonFiniteLoss, Objective


@dataclass(frozen=True, kw_only=True)
class TrainingTask:
    """One training, described so that any process that sees the same files can do it.

    Attributes
    ----------
    name : str
        For messages, such as ``trial 5``.
    data : SplitLoaders
        Maps to train, validate and test on. Pickled as paths of their files.
    hyperparameters : Hyperparameters
        Learning rate, weight decay, dropout and width.
    config : TrainingConfig
        Everything else.
    seed : int
        Of weights, dropout, order and augmentation.
    checkpoint : Path
        File to resume from. Attempts at the task put their files into ``<checkpoint>.attempts/``.
    objective : callable, optional
        What each step minimizes; see `train_network`.
    """

    name: str
    data: SplitLoaders
    hyperparameters: Hyperparameters
    config: TrainingConfig
    seed: int
    checkpoint: Path
    objective: Objective | None = None

    @property
    def attempts(self) -> Path:
        """Folder with a folder for each attempt; the driver makes it and removes it."""
        return attempts_folder(self.checkpoint)

    def prepare(self) -> None:
        """Make the folder of the attempts; the driver does this before it submits the task."""
        self.attempts.mkdir(parents=True, exist_ok=True)

    def clean(self) -> None:
        """Remove the checkpoint and all attempts; the driver does this when the result is stored."""
        remove_checkpoint(self.checkpoint)

    def __reduce__(self) -> Any:
        """Pickle the data apart, so that a worker opens those of many tasks once.

        Raises
        ------
        TypeError
            If maps are in memory, which would be copied.
        """
        if not all(part.is_in_files for part in (self.data.train, self.data.valid, self.data.test)):
            raise TypeError(
                f"{self.name}: These maps are in memory and cannot be sent to another process. Write "
                "them to files, or train with workers=1."
            )
        place = place_of_architecture(self.config.architecture)
        return _unpack, (pickle.dumps(self.data), place, {**vars(self), "data": None})


@dataclass(frozen=True, kw_only=True)
class TaskResult:
    """What a training gives back.

    Attributes
    ----------
    losses : (E, 4) float64
        Epoch and training, validation and test loss.
    best_epoch : int
        Epoch of the lowest validation loss.
    best_valid_loss : float
        That loss.
    weights : Path
        File that only this attempt wrote.
    """

    losses: Losses
    best_epoch: int
    best_valid_loss: float
    weights: Path

    def publish(self, path: Path) -> None:
        """Move the weights to their final name."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.weights.replace(path)

    def load_state(self) -> StateDict:
        """Read the weights of the best epoch."""
        return load_state(self.weights)


def run_task(
    task: TrainingTask,
    *,
    on_epoch: Report | None = None,
    asked_to_stop: Callable[[], bool] | None = None,
) -> TaskResult:
    """Train the network of a task, or resume it from its checkpoint, and write its weights.

    Parameters
    ----------
    task : TrainingTask
        What to train.
    on_epoch : callable, optional
        Called with epoch and losses after each epoch; what it raises ends the training.
    asked_to_stop : callable, optional
        Looked at after each step; True stops the training, which then has a checkpoint.

    Returns
    -------
    result : TaskResult
        Losses, metrics and the path of the weights.

    Raises
    ------
    NonFiniteLoss, TrainingInterrupted, ValueError, OSError
        See `train_network`. OSError too where this machine does not see the model folder.
    """
    with _attempt(task) as folder:
        trained = train_network(
            task.data,
            task.hyperparameters,
            task.config,
            seed=task.seed,
            report=on_epoch,
            checkpoint=task.checkpoint,
            objective=task.objective,
            staging=folder,
            asked_to_stop=asked_to_stop,
        )
        weights = folder / "weights.pt"
        save_weights(weights, trained.state)
    return TaskResult(
        losses=trained.losses,
        best_epoch=trained.best_epoch,
        best_valid_loss=trained.best_valid_loss,
        weights=weights,
    )


def train_on_workers(
    task: TrainingTask, execution: ExecutionConfig, report: Report = log_epoch
) -> TaskResult:
    """Train one network where a configuration says, and report its epochs.

    Parameters
    ----------
    task : TrainingTask
        What to train. Its checkpoint stays: remove it when the result is stored.
    execution : ExecutionConfig
        Where to train.
    report : callable, optional
        Called with epoch and losses after each epoch. If not given, they are logged.

    Returns
    -------
    result : TaskResult
        As of `run_task`.
    """
    task.prepare()
    with open_executor(execution) as executor:
        try:
            return executor.submit(run_task, task, on_epoch=report).result()
        except NonFiniteLoss:  # would come again
            task.clean()
            raise


@contextmanager
def _attempt(task: TrainingTask) -> Iterator[Path]:
    """Make a folder for the files of this attempt, and remove those of earlier attempts.

    A worker that was given up and comes back finds its folder removed, and can write nothing.
    """
    try:
        earlier = list(task.attempts.iterdir())
        folder = task.attempts / uuid.uuid4().hex
        folder.mkdir()
    except FileNotFoundError as error:
        raise FileNotFoundError(
            error.errno,
            f"Folder of {task.name} not found. Workers must see the driver's model folder",
            str(task.attempts),
        ) from None
    for other in earlier:
        shutil.rmtree(other, ignore_errors=True)
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _unpack(data: bytes, architecture: str, rest: dict[str, Any]) -> TrainingTask:
    import_architecture(architecture)  # whose decorator gives its short name here too
    return TrainingTask(**{**rest, "data": _open_data(data)})


@lru_cache(maxsize=1)
def _open_data(data: bytes) -> SplitLoaders:
    """Open maps once for all tasks that share them; statistics of maps are kept with them."""
    loaders: SplitLoaders = pickle.loads(data)
    return loaders
