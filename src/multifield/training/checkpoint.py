"""Checkpoints of trainings. A resumed training is bitwise identical to an uninterrupted one."""

import logging
import math
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from multifield.models.weights import StateDict, load_whole, save_whole
from multifield.training.causes import list_differences
from multifield.training.step import device_of

logger = logging.getLogger(__name__)

FORMAT = 2  # of the file; increase it when keys or groups of parameters change


@dataclass
class TrainingState:
    """State that training steps change, except random states. Consistent between any two steps.

    Attributes
    ----------
    network : Module
        Network in training.
    optimizer : Optimizer
        Optimizer of its parameters.
    schedule : LRScheduler
        Learning rate schedule.
    averaged : AveragedModel or None
        Moving average of the weights, if there is one.
    epoch : int
        Number of the current epoch, from 0.
    batch_losses : list of float
        Losses of the finished batches of the current epoch.
    rows : list of list of float
        Number and training, validation and test loss of each finished epoch.
    best_state : dict of str to Tensor
        State dict of the best epoch, on the CPU.
    """

    network: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    averaged: AveragedModel | None = None
    epoch: int = 0
    batch_losses: list[float] = field(default_factory=list)
    rows: list[list[float]] = field(default_factory=list)
    best_state: StateDict = field(default_factory=dict)

    @property
    def position(self) -> tuple[int, int]:
        """Number of the current epoch and of its finished batches."""
        return self.epoch, len(self.batch_losses)

    @property
    def judged(self) -> nn.Module:
        """Network that is validated and saved: the averaged one if there is one."""
        judged: nn.Module = self.network if self.averaged is None else self.averaged.module
        return judged

    def average(self) -> None:
        """Add the weights to their moving average, if there is one."""
        if self.averaged is not None:
            self.averaged.update_parameters(self.network)

    @property
    def _is_best(self) -> bool:
        """Whether the network itself has the best state, so that it is saved once."""
        losses = [row[2] for row in self.rows]
        return bool(losses) and not self.batch_losses and losses[-1] < min([*losses[:-1], math.inf])

    def end_epoch(self, train: float, valid: float, test: float) -> None:
        """Record the losses of an epoch, and the state if it is the best so far."""
        if valid < min((row[2] for row in self.rows), default=math.inf):
            self.best_state = copy_state(self.judged)
        self.rows.append([float(self.epoch), train, valid, test])
        self.epoch, self.batch_losses = self.epoch + 1, []

    @property
    def _parts(self) -> dict[str, Any]:
        """Parts that have a state dict of their own."""
        names = ("network", "averaged", "optimizer", "schedule")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    def pack(self) -> dict[str, Any]:
        """Return everything, random states included, as tensors and plain numbers."""
        return {
            **{name: part.state_dict() for name, part in self._parts.items()},
            "random": _random_states(device_of(self.network)),
            "epoch": self.epoch,
            "batch_losses": self.batch_losses,
            "rows": self.rows,
            "best_state": None if self._is_best else self.best_state,
        }

    def unpack(self, packed: Mapping[str, Any]) -> None:
        """Restore everything, random states included, from the output of `pack`."""
        for name, part in self._parts.items():
            part.load_state_dict(packed[name])
        _set_random_states(packed["random"], device_of(self.network))
        self.epoch, self.batch_losses = packed["epoch"], packed["batch_losses"]
        self.rows = packed["rows"]
        best_state = packed["best_state"]
        self.best_state = copy_state(self.judged) if best_state is None else best_state


def copy_state(network: nn.Module) -> StateDict:
    """Copy the state of a network to the CPU."""
    return {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}


@dataclass(frozen=True)
class Checkpoint:
    """File with the state of one training.

    Parameters
    ----------
    path : Path
        Path of the file.
    run : mapping of str to str
        Settings and data of the training, from `describe_run`. The checkpoint of a training with
        other settings is rejected.
    staging : Path, optional
        Folder for the temporary file; see `multifield.core.atomic_files.atomic_path`.
    """

    path: Path
    run: Mapping[str, str]
    staging: Path | None = None

    def write(self, state: TrainingState) -> None:
        """Write the state atomically; OSError with the file's name on a full disk."""
        header = {"format": FORMAT, "torch": str(torch.__version__), "run": dict(self.run)}
        save_whole(self.path, header | state.pack(), self.staging)

    def restore(self, state: TrainingState) -> None:
        """Restore the state from the file, if it exists.

        Raises
        ------
        ValueError
            If the file is damaged, or belongs to a training with other settings. The message lists
            the differences.
        """
        if not self.path.exists():
            return
        content = _read(self.path)
        if differences := list_differences("checkpoint", content["run"], self.run):
            raise ValueError(
                f"{self.path}: The checkpoint belongs to a run with other settings. Delete it to "
                "restart, or restore these settings:\n  " + "\n  ".join(differences)
            )
        if content["torch"] != torch.__version__:
            written, here = content["torch"], torch.__version__
            about = "%s: Written by PyTorch %s, read by %s. Results may differ in the last digits."
            logger.warning(about, self.path, written, here)
        state.unpack(content)


def remove_checkpoint(path: str | os.PathLike[str]) -> None:
    """Remove a checkpoint, if it exists, and the files of attempts at its training.

    Parameters
    ----------
    path : path-like
        Path of the checkpoint.
    """
    path = Path(path)
    shutil.rmtree(attempts_folder(path), ignore_errors=True)
    path.unlink(missing_ok=True)


def attempts_folder(path: Path) -> Path:
    """Return the folder that contains one folder per attempt at the training of a checkpoint."""
    return path.with_name(f"{path.name}.attempts")


def read_checkpoint_losses(path: str | os.PathLike[str]) -> list[list[float]]:
    """Read the losses of the finished epochs from a checkpoint.

    Parameters
    ----------
    path : path-like
        Path of the checkpoint.

    Returns
    -------
    rows : list of list of float
        Epoch and training, validation and test loss, one row per epoch.
    """
    rows: list[list[float]] = _read(Path(path))["rows"]
    return rows


def _read(path: Path) -> dict[str, Any]:
    """Read a checkpoint; ValueError if it is damaged or of another format."""
    try:
        content = load_whole(path)
    except ValueError as error:
        raise ValueError(f"{error} Delete it to restart.") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(
            f"{path}: Expected a checkpoint of format {FORMAT}, got another file. Delete it to "
            "restart."
        )
    return content


def _random_states(device: torch.device) -> dict[str, Tensor]:
    """Return the states of the generators that dropout draws from."""
    states = {"cpu": torch.get_rng_state()}
    if device.type != "cpu":
        states[device.type] = torch.get_device_module(device).get_rng_state()
    return states


def _set_random_states(states: Mapping[str, Tensor], device: torch.device) -> None:
    """Restore random states. A device that the checkpoint lacks keeps the state from its seed."""
    torch.set_rng_state(states["cpu"])
    if device.type != "cpu" and device.type in states:
        torch.get_device_module(device).set_rng_state(states[device.type])
