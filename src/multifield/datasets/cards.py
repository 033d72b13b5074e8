"""Cards of networks, beside the networks, and tables of what they infer."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kedro_datasets._typing import TablePreview

from multifield.atomic import atomic_path
from multifield.datasets.base import FileDataset
from multifield.datasets.tables import TypedJSONDataset
from multifield.models.folder import ModelFolder


class ModelCardDataset(TypedJSONDataset):
    """The card of the networks of a study, or of the one that was trained outside it.

    Parameters
    ----------
    path, suite, field, label : str
        As in `ModelFolderDataset`.
    network : {"study", "single"}
        Whose card it is.
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
        network: str,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        folder = ModelFolder(path=Path(path), suite=suite, field=field, label=label)
        super().__init__(
            filepath=str(folder.card(None if network == "study" else network)),
            model="multifield.inference.card.ModelCard",
            metadata=metadata,
        )


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
        records = self.load()[:nrows]
        return TablePreview(
            {
                "index": list(range(len(records))),
                "columns": list(records[0]),
                "data": [list(record.values()) for record in records],
            }
        )
