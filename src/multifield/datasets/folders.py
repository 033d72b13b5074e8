"""Folders of several suites, and of the networks that are trained on them."""

from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

from multifield.studies.robustness.ingest import SuiteFolders
from multifield.studies.robustness.network_folder import NetworkFolder


class SuiteFoldersDataset(AbstractDataset[Any, SuiteFolders]):
    """Where raw and log maps of all suites lie; which suites, a parameter says.

    Parameters
    ----------
    raw, log_maps : str
        Folders with a sub-folder each suite.
    metadata : dict, optional
        For plugins.
    """

    def __init__(self, *, raw: str, log_maps: str, metadata: dict[str, Any] | None = None) -> None:
        self._folders = SuiteFolders(raw=Path(raw), log_maps=Path(log_maps))
        self.metadata = metadata

    def load(self) -> SuiteFolders:
        """Give the folders; they need not exist yet."""
        return self._folders

    def save(self, data: Any) -> NoReturn:
        """Refuse: maps are written as they are made."""
        raise DatasetError(f"{self._folders}: can be read, not saved")

    def _exists(self) -> bool:
        return self._folders.raw.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"raw": str(self._folders.raw), "log_maps": str(self._folders.log_maps)}


class NetworkFolderDataset(AbstractDataset[Any, NetworkFolder]):
    """Where networks are kept that are trained on one suite or on several.

    Parameters
    ----------
    path : str
        Holds ``weights/``, ``cards/`` and, while one is trained, ``checkpoints/``.
    metadata : dict, optional
        For plugins.
    """

    def __init__(self, *, path: str, metadata: dict[str, Any] | None = None) -> None:
        self._folder = NetworkFolder(Path(path))
        self.metadata = metadata

    def load(self) -> NetworkFolder:
        """Give the folder; it need not exist yet."""
        return self._folder

    def save(self, data: Any) -> NoReturn:
        """Refuse: networks are written when they are trained."""
        raise DatasetError(f"{self._folder.path}: can be read, not saved")

    def _exists(self) -> bool:
        return self._folder.path.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._folder.path)}
