"""Parameter tables of suites, and small typed objects."""

from pathlib import Path
from typing import Any

import numpy as np
from kedro.io import AbstractDataset
from kedro.utils import load_obj
from kedro_datasets._typing import JSONPreview, TablePreview
from pydantic import TypeAdapter, ValidationError

from multifield import camels
from multifield.arrays import Theta
from multifield.atomic import atomic_path
from multifield.datasets.base import FileDataset
from multifield.maps.files import find_file, link_file, read_theta, write_theta


class ThetaDataset(AbstractDataset[Theta | Path, Theta]):
    """The parameter table of a suite: one row a simulation, columns in CMD's order.

    Saving takes an array, or a published file, which is linked to.

    Parameters
    ----------
    path : str
        Folder of all suites.
    suite, sim_set : str
    metadata : dict, optional
        For plugins.
    """

    def __init__(
        self, *, path: str, suite: str, sim_set: str, metadata: dict[str, Any] | None = None
    ) -> None:
        self._folder = Path(path) / suite
        self._names = camels.theta_names(suite, sim_set)
        self._n_columns = camels.find_set(sim_set, suite).n_columns
        self.metadata = metadata

    def load(self) -> Theta:
        """Read the table."""
        return read_theta(find_file(self._folder, self._names), self._n_columns)

    def save(self, data: Theta | Path) -> None:
        """Write the table, or link to it."""
        if isinstance(data, Path):
            link_file(data, self._folder / self._names[0])
        else:
            write_theta(self._folder / self._names[0], data)

    def preview(self, nrows: int = 20) -> TablePreview:
        """Show the first rows."""
        rows = self.load()[:nrows]
        return _table(list(camels.PARAMETER_NAMES), rows.tolist())

    def _exists(self) -> bool:
        return any((self._folder / name).is_file() for name in self._names)

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._folder), "names": self._names}


class TypedJSONDataset(FileDataset[Any, Any]):
    """One object of a pydantic dataclass as JSON, checked when it is loaded.

    Parameters
    ----------
    filepath : str
    model : str
        The class, as ``package.module.Class``.
    metadata : dict, optional
        For plugins.
    """

    def __init__(
        self, *, filepath: str, model: str, metadata: dict[str, Any] | None = None
    ) -> None:
        super().__init__(filepath=filepath, metadata=metadata)
        self._model = model

    def load(self) -> Any:
        """Read and check the object; ValueError names the file and the key."""
        try:
            return self._adapter.validate_json(self._filepath.read_text())
        except ValidationError as error:
            raise ValueError(f"{self._filepath}: {error}") from None

    def save(self, data: Any) -> None:
        """Write the object."""
        with atomic_path(self._filepath) as partial:
            partial.write_bytes(self._adapter.dump_json(data, indent=2))

    def preview(self) -> JSONPreview:
        """Show the file."""
        return JSONPreview(self._filepath.read_text())

    @property
    def _adapter(self) -> Any:  # beartype does not know TypeAdapter[Any]
        return TypeAdapter(load_obj(self._model))

    def _describe(self) -> dict[str, Any]:
        return super()._describe() | {"model": self._model}


def _table(columns: list[str], rows: list[list[Any]]) -> TablePreview:
    index = list(np.arange(len(rows)).tolist())
    return TablePreview({"index": index, "columns": columns, "data": rows})
