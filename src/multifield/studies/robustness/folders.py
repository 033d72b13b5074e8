"""Folders of maps and networks of several suites."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SuiteFolders:
    """Where files of all suites lie, a sub-folder each."""

    raw: Path
    log_maps: Path


@dataclass(frozen=True)
class NetworkFolder:
    """Where the networks of `robustness` lie: weights, their card and the checkpoint of the one under way."""

    path: Path

    def weights(self, name: str) -> Path:
        """State dict of a network."""
        return self.path / "weights" / f"weights_{name}.pt"

    def card(self, name: str) -> Path:
        """Causes of its numbers, its losses and the checksum of its weights; written last."""
        return self.path / "cards" / f"card_{name}.json"

    def checkpoint(self, name: str) -> Path:
        """State of its training."""
        return self.path / "checkpoints" / f"checkpoint_{name}.pt"
