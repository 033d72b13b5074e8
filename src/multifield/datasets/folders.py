"""Folders of several suites, and of networks that are trained on them."""

from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

from multifield.studies.robustness.folders import NetworkFolder, SuiteFolders


class SuiteFoldersDataset(AbstractDataset[Any, SuiteFolders]):
    """Folders of the raw and log maps of all suites.

    Parameters
    ----------
    raw, log_maps : str
        Folders with one sub-folder per suite.
    metadata : dict, optional
        Metadata for Kedro plugins.
    """

    def __init__(self, *, raw: str, log_maps: str, metadata: dict[str, Any] | None = None) -> None:
        self._folders = SuiteFolders(raw=Path(raw), log_maps=Path(log_maps))
        self.metadata = metadata

    def load(self) -> SuiteFolders:
        """Return the folders, which may not exist yet."""
        return self._folders

    def save(self, data: Any) -> NoReturn:
        """Raise an error: the pipeline writes the maps itself."""
        raise DatasetError(f"{self._folders}: Expected only loads of this dataset, got a save.")

    def _exists(self) -> bool:
        return self._folders.raw.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"raw": str(self._folders.raw), "log_maps": str(self._folders.log_maps)}


class NetworkFolderDataset(AbstractDataset[Any, NetworkFolder]):
    """Folder of networks that are trained on one or several suites.

    Parameters
    ----------
    path : str
        Folder with ``weights/``, ``cards/`` and, during a training, ``checkpoints/``.
    metadata : dict, optional
        Metadata for Kedro plugins.
    """

    def __init__(self, *, path: str, metadata: dict[str, Any] | None = None) -> None:
        self._folder = NetworkFolder(Path(path))
        self.metadata = metadata

    def load(self) -> NetworkFolder:
        """Return the folder, which may not exist yet."""
        return self._folder

    def save(self, data: Any) -> NoReturn:
        """Raise an error: the training writes the networks itself."""
        raise DatasetError(f"{self._folder.path}: Expected only loads of this dataset, got a save.")

    def _exists(self) -> bool:
        return self._folder.path.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._folder.path)}
