"""Parameter tables, losses, records and small typed objects."""

import csv
from collections.abc import Mapping, Sequence
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


class RecordsDataset(FileDataset[Sequence[Mapping[str, Any]], list[dict[str, str]]]):
    """A table of records as CSV; its columns are the keys of the first record.

    Parameters
    ----------
    filepath : str
    metadata : dict, optional
        For plugins.
    """

    def load(self) -> list[dict[str, str]]:
        """Read the records; every value is text."""
        with self._filepath.open(newline="") as file:
            return list(csv.DictReader(file))

    def save(self, data: Sequence[Mapping[str, Any]]) -> None:
        """Write the records."""
        if not data:
            raise ValueError(f"{self._filepath}: expected at least one record, got none")
        with atomic_path(self._filepath) as partial, partial.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(data[0]))
            writer.writeheader()
            writer.writerows(data)

    def preview(self) -> TablePreview:
        """Show all records."""
        return _preview_records(self.load())


class ParquetDataset(FileDataset[Sequence[Mapping[str, Any]], list[dict[str, Any]]]):
    """A table of records as Parquet; values keep their types.

    Parameters
    ----------
    filepath : str
    metadata : dict, optional
        For plugins.
    """

    def load(self) -> list[dict[str, Any]]:
        """Read the records."""
        from pyarrow import parquet

        records: list[dict[str, Any]] = parquet.read_table(self._filepath).to_pylist()
        return records

    def save(self, data: Sequence[Mapping[str, Any]]) -> None:
        """Write the records."""
        import pyarrow
        from pyarrow import parquet

        if not data:
            raise ValueError(f"{self._filepath}: expected at least one record, got none")
        table = pyarrow.Table.from_pylist(list(data))
        with atomic_path(self._filepath) as partial:
            parquet.write_table(table, partial)

    def preview(self, nrows: int = 40) -> TablePreview:
        """Show the first records."""
        return _preview_records(self.load()[:nrows])


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


def _preview_records(records: Sequence[Mapping[str, Any]]) -> TablePreview:
    return _table(list(records[0]), [list(record.values()) for record in records])


def _table(columns: list[str], rows: list[list[Any]]) -> TablePreview:
    index = list(np.arange(len(rows)).tolist())
    return TablePreview({"index": index, "columns": columns, "data": rows})
