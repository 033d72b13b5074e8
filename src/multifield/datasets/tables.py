"""Parameter tables of suites, and typed objects in JSON."""

from pathlib import Path
from typing import Any

import numpy as np
from kedro.io import AbstractDataset
from kedro.io.core import get_filepath_str
from kedro.utils import load_obj
from kedro_datasets._typing import JSONPreview, TablePreview
from kedro_datasets.json import JSONDataset
from pydantic import TypeAdapter, ValidationError

from multifield import camels
from multifield.core.arrays import Theta
from multifield.core.atomic_files import atomic_path
from multifield.data.map_files import find_file, write_or_link_theta
from multifield.data.parameter_tables import read_theta


class ThetaDataset(AbstractDataset[Theta | Path, Theta]):
    """Parameter table of a suite: one row per simulation, columns in CMD's order.

    Saving writes an array, or links to a published file.

    Parameters
    ----------
    path : str
        Folder of all suites.
    suite, sim_set : str
        Names of the suite and of the set.
    trained_on : dict, optional
        Suite and set of the training, under ``suite`` and ``sim_set``. If the set can have the
        table of the training, its parameters are read.
    metadata : dict, optional
        Metadata for Kedro plugins.
    """

    def __init__(
        self,
        *,
        path: str,
        suite: str,
        sim_set: str,
        trained_on: dict[str, str] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._folder = Path(path) / suite
        self._names = camels.theta_names(suite, sim_set)
        self._set = camels.find_set(sim_set, suite)
        self._space = self._set.space
        if trained_on is not None:
            trained = camels.find_space(trained_on["suite"], trained_on["sim_set"])
            self._space = self._set.table_like(trained)
        self.metadata = metadata

    def load(self) -> Theta:
        """Read the table."""
        return read_theta(find_file(self._folder, self._names), self._set, self._space)

    def save(self, data: Theta | Path) -> None:
        """Write the table, or link to a file."""
        write_or_link_theta(self._folder / self._names[0], data)

    def preview(self, nrows: int = 20) -> TablePreview:
        """Return the first rows for Kedro-Viz."""
        rows = self.load()[:nrows]
        return _table(list(self._space.names), rows.tolist())

    def _exists(self) -> bool:
        return any((self._folder / name).is_file() for name in self._names)

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._folder), "names": self._names}


N_FAULTS, LONGEST = 3, 160  # in messages: number, and characters of a name or a reason


class TypedJSONDataset(JSONDataset):  # type: ignore[misc] # it is not typed
    """Object of a pydantic dataclass as JSON, validated when it is loaded.

    Parameters
    ----------
    filepath : str
        Path of the file for fsspec. Local files are written atomically.
    model : str
        Class of the object, as ``package.module.Class``.
    **options : object
        Options of `JSONDataset`: version, credentials, metadata.
    """

    def __init__(self, *, filepath: str, model: str, **options: Any) -> None:
        super().__init__(filepath=filepath, **options)
        self._model = model

    def load(self) -> Any:
        """Read and validate the object."""
        path = get_filepath_str(self._get_load_path(), self._protocol)
        with self._fs.open(path) as file:
            text = file.read()
        try:
            return self._adapter.validate_json(text)
        except ValidationError as error:
            raise ValueError(f"{path}: {_summarize(error)}") from None

    def save(self, data: Any) -> None:
        """Write the object."""
        path = get_filepath_str(self._get_save_path(), self._protocol)
        text = self._adapter.dump_json(data, indent=2)
        if self._protocol == "file":
            with atomic_path(path) as partial:
                partial.write_bytes(text)
        else:
            self._fs.pipe(path, text)
        self._invalidate_cache()

    def preview(self) -> JSONPreview:
        """Return the file for Kedro-Viz."""
        return JSONPreview(self._adapter.dump_json(self.load()).decode())

    @property
    def _adapter(self) -> Any:  # beartype does not know TypeAdapter[Any]
        return TypeAdapter(load_obj(self._model))

    def _describe(self) -> dict[str, Any]:
        return {**super()._describe(), "model": self._model}


def _table(columns: list[str], rows: list[list[Any]]) -> TablePreview:
    index = list(np.arange(len(rows)).tolist())
    return TablePreview({"index": index, "columns": columns, "data": rows})


def _summarize(error: ValidationError) -> str:
    """Return the first faults of a file, one line each."""
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    lines = [
        f"{'.'.join(map(str, fault['loc']))[:LONGEST]}: {fault['msg'][:LONGEST]}"
        for fault in faults[:N_FAULTS]
    ]
    more = len(faults) - len(lines)
    return "\n  ".join(
        [f"Expected a valid {error.title}, got other content:", *lines]
        + ([f"and {more} more"] if more else [])
    )
