"""Trainings as tasks that any worker can run, and their results."""

import pickle
import shutil
import time
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
from multifield.training.live_table import TrainingProgress
from multifield.training.loop import OnStep, Report, TrainingResult, train_network
from multifield.training.step import NonFiniteLoss, Objective

STEP_PERIOD = 1.0  # [s] between two reports of steps


@dataclass(frozen=True, kw_only=True)
class TrainingTask:
    """Description of one training, for any process that sees the same files.

    Attributes
    ----------
    name : str
        Name for messages, such as ``trial 5``.
    data : SplitLoaders
        Training, validation and test maps. They are pickled as paths of their files.
    hyperparameters : Hyperparameters
        Learning rate, weight decay, dropout and width.
    config : TrainingConfig
        All other settings.
    seed : int
        Seed of weights, dropout, order and augmentation.
    checkpoint : Path
        File to resume from. Attempts at the task write their files to ``<checkpoint>.attempts/``.
    objective : Objective, optional
        Loss that each step minimizes; see `train_network`.
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
        """Folder that contains one folder per attempt. The driver creates and removes it."""
        return attempts_folder(self.checkpoint)

    def prepare(self) -> None:
        """Create the folder of the attempts. The driver does this before it submits the task."""
        self.attempts.mkdir(parents=True, exist_ok=True)

    def clean(self) -> None:
        """Remove the checkpoint and all attempts. The driver does this after storing the result."""
        remove_checkpoint(self.checkpoint)

    def __reduce__(self) -> Any:
        """Pickle the data separately, so that a worker opens data shared by many tasks once.

        Raises
        ------
        TypeError
            If maps are in memory, because they would be copied.
        """
        if not all(part.is_in_files for part in (self.data.train, self.data.valid, self.data.test)):
            raise TypeError(
                f"{self.name}: These maps are in memory and cannot be sent to another process. "
                "Write them to files, or train with workers=1."
            )
        place = place_of_architecture(self.config.architecture)
        return _unpack, (pickle.dumps(self.data), place, {**vars(self), "data": None})


@dataclass(frozen=True, kw_only=True)
class TaskResult(TrainingResult):
    """Result of a training task.

    Attributes
    ----------
    losses : (E, 4) float64
        Epoch and training, validation and test loss.
    weights : Path
        Weights file in the folder of this attempt.
    """

    weights: Path

    def publish(self, path: Path) -> None:
        """Move the weights to their final path."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.weights.replace(path)

    def load_state(self) -> StateDict:
        """Read the weights of the best epoch."""
        return load_state(self.weights)


def run_task(
    task: TrainingTask,
    *,
    on_epoch: Report | None = None,
    on_step: OnStep | None = None,
    asked_to_stop: Callable[[], bool] | None = None,
) -> TaskResult:
    """Train the network of a task, or resume it from its checkpoint, and write its weights.

    Parameters
    ----------
    task : TrainingTask
        Training to run.
    on_epoch : callable, optional
        Function that is called with epoch and losses after each epoch. An exception ends the
        training.
    on_step : callable, optional
        Function that is called with the number of finished epochs, such as 3.25, after a step, at
        most once per `STEP_PERIOD`.
    asked_to_stop : callable, optional
        Function that is called after each step. True stops the training and writes a checkpoint.

    Returns
    -------
    result : TaskResult
        Losses, best epoch and path of the weights.

    Raises
    ------
    NonFiniteLoss, TrainingInterrupted, ValueError, OSError
        See `train_network`. OSError also if this machine does not see the model folder.
    """
    with _attempt(task) as folder:
        trained = train_network(
            task.data,
            task.hyperparameters,
            task.config,
            seed=task.seed,
            report=on_epoch,
            on_step=on_step and _rarely(on_step),
            checkpoint=task.checkpoint,
            objective=task.objective,
            staging=folder,
            asked_to_stop=asked_to_stop,
        )
        weights = folder / "weights.pt"
        save_weights(weights, trained.state)
    return TaskResult(losses=trained.losses, weights=weights)


def train_on_workers(task: TrainingTask, execution: ExecutionConfig) -> TaskResult:
    """Train one network on the executor of a configuration, and show the progress.

    Parameters
    ----------
    task : TrainingTask
        Training to run. Its checkpoint remains: remove it when the result is stored.
    execution : ExecutionConfig
        Number of processes, or scheduler of a cluster.

    Returns
    -------
    result : TaskResult
        Losses, best epoch and path of the weights.
    """
    task.prepare()
    progress = TrainingProgress("networks", 1, task.config.epochs)
    with open_executor(execution) as executor, progress:
        progress.begin(task.name)
        try:
            result = executor.submit(run_task, task, **progress.reports(task.name)).result()
        except NonFiniteLoss:  # a resumed training would fail again
            task.clean()
            raise
        progress.end(task.name, f"valid loss {result.best_valid_loss:.4f}")
    return result


def _rarely(call: OnStep) -> OnStep:
    """Leave out calls within `STEP_PERIOD` of the last one."""
    last = time.monotonic()

    def call_rarely(done: float) -> None:
        nonlocal last
        if time.monotonic() - last >= STEP_PERIOD:
            last = time.monotonic()
            call(done)

    return call_rarely


@contextmanager
def _attempt(task: TrainingTask) -> Iterator[Path]:
    """Create a folder for the files of this attempt, and remove those of earlier attempts.

    A lost worker that comes back finds its folder removed and cannot write anything.
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
    import_architecture(architecture)  # registers its short name in this process
    return TrainingTask(**{**rest, "data": _open_data(data)})


@lru_cache(maxsize=1)
def _open_data(data: bytes) -> SplitLoaders:
    """Open maps once for all tasks that share them. Features of maps are cached with them."""
    loaders: SplitLoaders = pickle.loads(data)
    return loaders
