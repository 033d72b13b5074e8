"""Base class of datasets that are one file."""

from pathlib import Path
from typing import Any, TypeVar

from kedro.io import AbstractDataset

Saved = TypeVar("Saved")
Loaded = TypeVar("Loaded")


class FileDataset(AbstractDataset[Saved, Loaded]):
    """One file. A subclass loads and saves it.

    Parameters
    ----------
    filepath : path-like
        Path of the file.
    metadata : dict, optional
        Metadata for Kedro plugins.
    """

    def __init__(self, *, filepath: str | Path, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
