"""Optuna studies, weights, losses and model cards, under the benchmark's names."""

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractDataset, DatasetError

from multifield.config.tuning import check_storage
from multifield.datasets.base import FileDataset, Loaded, Saved
from multifield.datasets.tables import TypedJSONDataset
from multifield.models.model_folder import ModelFolder

if TYPE_CHECKING:
    import numpy as np
    import optuna
    import torch

    from multifield.models import Network
    from multifield.tuning import StudyStorage


def _find_folder(path: str, **names: str) -> ModelFolder:
    return ModelFolder(path=Path(path), **names)


class ModelFolderDataset(AbstractDataset[ModelFolder, ModelFolder]):
    """Folder of the database, weights and losses of a study.

    A study writes the files of each trial when the trial ends, so that a killed run loses at most
    one. Saving only checks that the study used this folder.

    Parameters
    ----------
    path : str
        Folder with ``databases/``, ``weights/`` and ``losses/``.
    suite, field, label : str
        Parts of the file names.
    metadata : dict, optional
        Metadata for Kedro plugins.
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
        self._folder = _find_folder(path, suite=suite, field=field, label=label)
        self.metadata = metadata

    def load(self) -> ModelFolder:
        """Return the folder, which may not exist yet."""
        return self._folder

    def save(self, data: ModelFolder) -> None:
        """Check that the networks are in this folder."""
        if data != self._folder:
            raise DatasetError(f"Expected networks in {self._folder}, got {data}.")

    def _exists(self) -> bool:
        return bool(self._folder.trials_with_weights())

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._folder.path), "label": self._folder.label}


class StudyDataset(AbstractDataset["optuna.Study", "optuna.Study"]):
    """Optuna study, by default in a SQLite database under the benchmark's name.

    Loading copies the study to memory, so that readers never modify it. A running study writes to
    its storage itself, and saving only checks that the storage contains every trial.

    Parameters
    ----------
    storage : str
        ``sqlite`` for the file in the folder, or the URL of a database for Optuna.
    metadata : dict, optional
        Metadata for Kedro plugins.
    **names : str
        Arguments of `ModelFolderDataset`: path, suite, field, label.
    """

    def __init__(
        self, *, storage: str = "sqlite", metadata: dict[str, Any] | None = None, **names: str
    ) -> None:
        self._folder = _find_folder(**names)
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
        """Check that the storage contains every trial of the study."""
        stored = len(self.load().trials)
        if stored != len(data.trials):
            raise DatasetError(
                f"{self._storage}: Expected the study's {len(data.trials)} trials, got {stored}."
            )

    def _exists(self) -> bool:
        return self._storage.exists()

    def _describe(self) -> dict[str, Any]:
        return {"storage": self._name, "database": str(self._folder.database)}


class TrialFileDataset(FileDataset[Saved, Loaded]):
    """File of one network. A subclass selects the file.

    Parameters
    ----------
    trial : str
        Number of the trial, or a name of a network outside a study.
    metadata : dict, optional
        Metadata for Kedro plugins.
    **names : str
        Arguments of `ModelFolderDataset`: path, suite, field, label.
    """

    def __init__(self, *, trial: str, metadata: dict[str, Any] | None = None, **names: str) -> None:
        super().__init__(filepath=self._locate(_find_folder(**names), trial), metadata=metadata)

    @staticmethod
    @abstractmethod
    def _locate(folder: ModelFolder, trial: str) -> Path:
        """Return the file of a trial."""


class WeightsDataset(TrialFileDataset["dict[str, torch.Tensor]", "Network"]):
    """Weights of one network, in the format of the benchmark.

    Parameters
    ----------
    architecture : str, optional
        Architecture of the network. It is needed for the weights of a custom architecture.
    **names : str
        Arguments of `TrialFileDataset`.
    """

    def __init__(self, *, architecture: str | None = None, **names: Any) -> None:
        super().__init__(**names)
        self._architecture = architecture

    @staticmethod
    def _locate(folder: ModelFolder, trial: str) -> Path:
        return folder.weights(trial)

    def load(self) -> "Network":
        """Build the network from the shapes of its tensors, in evaluation mode."""
        from multifield.models import load_weights

        return load_weights(self._filepath, architecture=self._architecture)

    def save(self, data: "dict[str, torch.Tensor]") -> None:
        """Write a state dict."""
        from multifield.models import save_weights

        save_weights(self._filepath, data)


class LossesDataset(TrialFileDataset["np.ndarray", "np.ndarray"]):
    """Losses of one network, one line per epoch: ``epoch train valid test``."""

    @staticmethod
    def _locate(folder: ModelFolder, trial: str) -> Path:
        return folder.losses(trial)

    def load(self) -> "np.ndarray":
        """Read the losses of E epochs, (E, 4)."""
        from multifield.training import read_losses

        return read_losses(self._filepath)

    def save(self, data: "np.ndarray") -> None:
        """Write the losses."""
        from multifield.training import write_losses

        write_losses(self._filepath, data)


class ModelCardDataset(TypedJSONDataset):
    """Model card of the networks of a study, or of a single network.

    Parameters
    ----------
    network : {"study", "single"}
        Whether the card describes the networks of the study or the single network.
    metadata : dict, optional
        Metadata for Kedro plugins.
    **names : str
        Arguments of `ModelFolderDataset`: path, suite, field, label.
    """

    def __init__(
        self, *, network: str, metadata: dict[str, Any] | None = None, **names: str
    ) -> None:
        card = _find_folder(**names).card(None if network == "study" else network)
        model = "multifield.prediction.card.ModelCard"
        super().__init__(filepath=str(card), model=model, metadata=metadata)
