"""Folders of maps and networks of several suites."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SuiteFolders:
    """Folders of maps, with one sub-folder per suite.

    Attributes
    ----------
    raw : Path
        Folder of raw maps.
    log_maps : Path
        Folder of log maps.
    """

    raw: Path
    log_maps: Path


@dataclass(frozen=True)
class NetworkFolder:
    """Folder of networks: their weights, cards and checkpoints.

    Attributes
    ----------
    path : Path
        Path of the folder.
    """

    path: Path

    def weights(self, name: str) -> Path:
        """Path of the state dict of a network."""
        return self.path / "weights" / f"weights_{name}.pt"

    def card(self, name: str) -> Path:
        """Path of the card: settings, losses and checksum of the weights. It is written last."""
        return self.path / "cards" / f"card_{name}.json"

    def checkpoint(self, name: str) -> Path:
        """Path of the checkpoint of a running training."""
        return self.path / "checkpoints" / f"checkpoint_{name}.pt"
