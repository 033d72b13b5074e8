"""The state of a training in a file, from which it goes on bit for bit."""

import hashlib
import logging
import math
import os
import pickle
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from multifield.config.training import Hyperparameters, TrainingConfig, list_causes
from multifield.data import SplitLoaders
from multifield.models.weights import StateDict, save_whole
from multifield.training.step import device_of

logger = logging.getLogger(__name__)

FORMAT = 1  # of the file; a change of its keys is another


@dataclass
class TrainingState:
    """All that a step of training changes, random states apart. Whole between any two steps."""

    network: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    averaged: AveragedModel | None = None  # of the weights of all steps
    epoch: int = 0  # under way
    batch_losses: list[float] = field(
        default_factory=list
    )  # of the epoch under way, as far as it is
    rows: list[list[float]] = field(
        default_factory=list
    )  # epoch and three losses of those that ended
    best_epoch: int = 0
    best_valid_loss: float = math.inf
    best_state: StateDict = field(default_factory=dict)  # on the CPU

    @property
    def position(self) -> tuple[int, int]:
        """Epoch under way, and its batches so far."""
        return self.epoch, len(self.batch_losses)

    @property
    def judged(self) -> nn.Module:
        """The network that validation sees and that is kept."""
        judged: nn.Module = self.network if self.averaged is None else self.averaged.module
        return judged

    def average(self) -> None:
        """Add the weights to their average, if there is one."""
        if self.averaged is not None:
            self.averaged.update_parameters(self.network)

    @property
    def _is_best(self) -> bool:
        """Whether the network has the best state itself, so that it need not be saved twice."""
        return not self.batch_losses and self.best_epoch == self.epoch - 1

    def end_epoch(self, train: float, valid: float, test: float) -> None:
        """Note the losses of an epoch, and its state if it is the best so far."""
        if valid < self.best_valid_loss:
            self.best_valid_loss, self.best_epoch = valid, self.epoch
            self.best_state = copy_state(self.judged)
        self.rows.append([float(self.epoch), train, valid, test])
        self.epoch, self.batch_losses = self.epoch + 1, []

    def pack(self) -> dict[str, Any]:
        """Give everything as tensors and plain numbers, random states too."""
        return {
            "network": self.network.state_dict(),
            "averaged": None if self.averaged is None else self.averaged.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "random": _random_states(device_of(self.network)),
            "epoch": self.epoch,
            "batch_losses": self.batch_losses,
            "rows": self.rows,
            "best_epoch": self.best_epoch,
            "best_valid_loss": self.best_valid_loss,
            "best_state": None if self._is_best else self.best_state,
        }

    def unpack(self, packed: Mapping[str, Any]) -> None:
        """Take everything over from `pack`, random states too."""
        self.network.load_state_dict(packed["network"])
        if self.averaged is not None:
            self.averaged.load_state_dict(packed["averaged"])
        self.optimizer.load_state_dict(packed["optimizer"])
        self.schedule.load_state_dict(packed["schedule"])
        _set_random_states(packed["random"], device_of(self.network))
        self.epoch, self.batch_losses = packed["epoch"], packed["batch_losses"]
        self.rows = packed["rows"]
        self.best_epoch, self.best_valid_loss = packed["best_epoch"], packed["best_valid_loss"]
        best_state = packed["best_state"]
        self.best_state = copy_state(self.judged) if best_state is None else best_state


def copy_state(network: nn.Module) -> StateDict:
    """Copy the state of a network to the CPU."""
    return {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}


@dataclass(frozen=True)
class Checkpoint:
    """A file for the state of one run.

    Parameters
    ----------
    path : Path
        The file.
    run : mapping of str to str
        What the run is made of, from `describe_run`. Another run's file is refused.
    staging : Path, optional
        Folder for the temporary file; see `multifield.core.atomic_files.atomic_path`.
    """

    path: Path
    run: Mapping[str, str]
    staging: Path | None = None

    def write(self, state: TrainingState) -> None:
        """Write the state whole or not at all; OSError naming the file if there is no room."""
        header = {"format": FORMAT, "torch": str(torch.__version__), "run": dict(self.run)}
        save_whole(self.path, header | state.pack(), self.staging)

    def restore(self, state: TrainingState) -> None:
        """Resume from the file, if there is one.

        Raises
        ------
        ValueError
            If the file is damaged, or of another run; each difference is named.
        """
        content = self._read()
        if content is not None:
            state.unpack(content)

    def _read(self) -> dict[str, Any] | None:
        if not self.path.exists():
            return None
        content = _read(self.path)
        self._check_run(content["run"])
        if content["torch"] != torch.__version__:
            logger.warning(
                "%s: written by PyTorch %s, read by %s: the training may end in other digits",
                self.path,
                content["torch"],
                torch.__version__,
            )
        return content

    def _check_run(self, saved: Mapping[str, str]) -> None:
        differences = [
            f"  {name}: the checkpoint has {saved.get(name, 'nothing')}, "
            f"this run {self.run.get(name, 'nothing')}"
            for name in sorted({*saved, *self.run})
            if saved.get(name) != self.run.get(name)
        ]
        if differences:
            raise ValueError(
                "\n".join(
                    [
                        f"{self.path}: expected a checkpoint of this run, got one of another; delete it to "
                        "begin anew, or ask for what it is of",
                        *differences,
                    ]
                )
            )


def remove_checkpoint(path: str | os.PathLike[str]) -> None:
    """Remove a checkpoint, where there is one, and what attempts at its training left."""
    path = Path(path)
    shutil.rmtree(attempts_folder(path), ignore_errors=True)
    path.unlink(missing_ok=True)


def attempts_folder(path: Path) -> Path:
    """Give the folder in which each attempt at the training of a checkpoint has a folder."""
    return path.with_name(f"{path.name}.attempts")


def read_checkpoint_losses(path: str | os.PathLike[str]) -> list[list[float]]:
    """Read epoch and training, validation and test loss of the epochs that ended, a row each."""
    rows: list[list[float]] = _read(Path(path))["rows"]
    return rows


def describe_run(
    data: SplitLoaders, hyperparameters: Hyperparameters, config: TrainingConfig, seed: int
) -> dict[str, str]:
    """List all that decides the numbers of a training, one key a cause."""
    return {
        **{f"hyperparameters.{name}": repr(each) for name, each in asdict(hyperparameters).items()},
        **list_causes(config),
        "seed": str(seed),
        **{f"data.{name}": each for name, each in data.causes.items()},
        "data.channels": str(data.channels),
        "data.map_size": str(data.map_size),
        "data.inferred": str(data.inferred),
        **{
            f"data.{part}": f"{len(loader)} maps, theta {hashlib.sha256(loader.theta.tobytes()).hexdigest()}"
            for part, loader in (("train", data.train), ("valid", data.valid), ("test", data.test))
        },
    }


def _read(path: Path) -> dict[str, Any]:
    advice = "it is damaged; delete it to begin anew"
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()  # torch.load does not look at the checksums
        with path.open("rb") as file:
            content = torch.load(file, map_location="cpu", weights_only=True)
    except (zipfile.BadZipFile, pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise ValueError(f"{path}: expected a checkpoint; {advice}") from error
    if damaged is not None:
        raise ValueError(f"{path}: expected a checkpoint; {advice} (wrong checksum of {damaged})")
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(
            f"{path}: expected a checkpoint of format {FORMAT}, got something else; delete it to begin anew"
        )
    return content


def _random_states(device: torch.device) -> dict[str, Tensor]:
    """States of the generators that dropout draws from."""
    states = {"cpu": torch.get_rng_state()}
    if device.type != "cpu":
        states[device.type] = torch.get_device_module(device).get_rng_state()
    return states


def _set_random_states(states: Mapping[str, Tensor], device: torch.device) -> None:
    """Set them; a device that the checkpoint was not made on keeps what the seed gave it."""
    torch.set_rng_state(states["cpu"])
    if device.type != "cpu" and device.type in states:
        torch.get_device_module(device).set_rng_state(states[device.type])
