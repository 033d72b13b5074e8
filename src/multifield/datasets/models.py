"""Optuna studies and network weights, under the benchmark's names."""

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractDataset, DatasetError

from multifield.config.tuning import check_storage
from multifield.datasets.base import FileDataset, Loaded, Saved
from multifield.models.model_folder import ModelFolder

if TYPE_CHECKING:
    import numpy as np
    import optuna
    import torch

    from multifield.models import Network
    from multifield.tuning import StudyStorage


class ModelFolderDataset(AbstractDataset[ModelFolder, ModelFolder]):
    """Where the trials of one study keep their database, weights and losses.

    A study writes each trial's files when the trial ends, so that a killed run loses at most one; saving
    checks that this was the folder.

    Parameters
    ----------
    path : str
        Holds ``databases/``, ``weights/`` and ``losses/``.
    suite, field, label : str
        Of the names.
    metadata : dict, optional
        For plugins.
    """

    def __init__(
        self,
        *,
        path: str,
        suite: str,
        field: str,
        label: str,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._folder = ModelFolder(path=Path(path), suite=suite, field=field, label=label)
        self.metadata = metadata

    def load(self) -> ModelFolder:
        """Give the folder; it need not exist yet."""
        return self._folder

    def save(self, data: ModelFolder) -> None:
        """Check that the networks are where this dataset says."""
        if data != self._folder:
            raise DatasetError(f"expected networks in {self._folder}, got {data}")

    def _exists(self) -> bool:
        return bool(self._folder.trials_with_weights())

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._folder.path), "label": self._folder.label}


class StudyDataset(AbstractDataset["optuna.Study", "optuna.Study"]):
    """An Optuna study, by default in the benchmark's SQLite database.

    Loading reads it into memory, so that it is never altered by a reader. A running study writes to its
    storage itself; saving checks that it did.

    Parameters
    ----------
    path, suite, field, label : str
        As in `ModelFolderDataset`.
    storage : str
        ``sqlite`` for the file in the folder, or the URL of a database that Optuna takes.
    metadata : dict, optional
        For plugins.
    """

    def __init__(
        self,
        *,
        path: str,
        suite: str,
        field: str,
        label: str,
        storage: str = "sqlite",
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._folder = ModelFolder(path=Path(path), suite=suite, field=field, label=label)
        self._name = check_storage(storage)
        self.metadata = metadata

    @property
    def _storage(self) -> "StudyStorage":
        from multifield.tuning import choose_storage

        return choose_storage(self._name, self._folder)

    def load(self) -> "optuna.Study":
        """Read the study."""
        from multifield.tuning import load_study

        return load_study(self._storage)

    def save(self, data: "optuna.Study") -> None:
        """Check that the storage holds every trial of the study."""
        stored = len(self.load().trials)
        if stored != len(data.trials):
            raise DatasetError(
                f"{self._storage}: expected the study's {len(data.trials)} trials, got {stored}"
            )

    def _exists(self) -> bool:
        return self._storage.exists()

    def _describe(self) -> dict[str, Any]:
        return {"storage": self._name, "database": str(self._folder.database)}


class TrialFileDataset(FileDataset[Saved, Loaded]):
    """A file of one network; a subclass says which.

    Parameters
    ----------
    path, suite, field, label : str
        As in `ModelFolderDataset`.
    trial : str
        Number of the trial, or a word for a network outside a study.
    metadata : dict, optional
        For plugins.
    """

    def __init__(
        self,
        *,
        path: str,
        suite: str,
        field: str,
        label: str,
        trial: str,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        folder = ModelFolder(path=Path(path), suite=suite, field=field, label=label)
        super().__init__(filepath=self._locate(folder, trial), metadata=metadata)

    @staticmethod
    @abstractmethod
    def _locate(folder: ModelFolder, trial: str) -> Path:
        """Give the file of this trial."""


class WeightsDataset(TrialFileDataset["dict[str, torch.Tensor]", "Network"]):
    """The weights of one network, as the benchmark releases them.

    Parameters
    ----------
    architecture : str, optional
        Architecture of the network, which weights of a user's own architecture do not say.
    **names
        As in `TrialFileDataset`.
    """

    def __init__(self, *, architecture: str | None = None, **names: Any) -> None:
        super().__init__(**names)
        self._architecture = architecture

    @staticmethod
    def _locate(folder: ModelFolder, trial: str) -> Path:
        return folder.weights(trial)

    def load(self) -> "Network":
        """Build the network from the shapes of its tensors, ready to predict."""
        from multifield.models import load_weights

        return load_weights(self._filepath, architecture=self._architecture)

    def save(self, data: "dict[str, torch.Tensor]") -> None:
        """Write a state dict."""
        from multifield.models import save_weights

        save_weights(self._filepath, data)


class LossesDataset(TrialFileDataset["np.ndarray", "np.ndarray"]):
    """The losses of one network: a line an epoch, ``epoch train valid test``."""

    @staticmethod
    def _locate(folder: ModelFolder, trial: str) -> Path:
        return folder.losses(trial)

    def load(self) -> "np.ndarray":
        """Read the losses, (E, 4)."""
        from multifield.training import read_losses

        return read_losses(self._filepath)

    def save(self, data: "np.ndarray") -> None:
        """Write the losses."""
        from multifield.training import write_losses

        write_losses(self._filepath, data)
