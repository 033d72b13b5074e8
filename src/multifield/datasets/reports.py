"""Results, metrics and figures."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from kedro.io import AbstractDataset, DatasetError
from kedro_datasets._typing import ImagePreview, JSONPreview

from multifield.atomic import atomic_path
from multifield.datasets.previews import encode_png
from multifield.evaluation import Results, read_results, results_name, write_results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Metrics = dict[str, dict[str, float]]


class ResultsDataset(AbstractDataset[Results, Results]):
    """Truth, posterior mean and standard deviation of every test map: the 18-column text.

    Parameters
    ----------
    path : str
        Folder of all results.
    suite, field, label, sim_set : str
        Of the name; trained and tested on the same suite.
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
        sim_set: str,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        name = results_name(suite, field, label, suite, field, label, sim_set)
        self._filepath = Path(path) / name
        self.metadata = metadata

    def load(self) -> Results:
        """Read the results."""
        return read_results(self._filepath)

    def save(self, data: Results) -> None:
        """Write the results."""
        write_results(self._filepath, data)

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


class MetricsDataset(AbstractDataset[Metrics, Metrics]):
    """Metrics by name and parameter, as JSON.

    Parameters
    ----------
    filepath : str
    metadata : dict, optional
        For plugins.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Metrics:
        """Read the metrics."""
        metrics: Metrics = json.loads(self._filepath.read_text())
        return metrics

    def save(self, data: Metrics) -> None:
        """Write the metrics; a value that is not finite is refused, for JSON has none."""
        with atomic_path(self._filepath) as partial:
            partial.write_text(json.dumps(data, indent=2, allow_nan=False) + "\n")

    def preview(self) -> JSONPreview:
        """Show the file."""
        return JSONPreview(self._filepath.read_text())

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


class FigureDataset(AbstractDataset["Figure", NoReturn]):
    """A figure as PNG, for screens, and PDF, for papers.

    Parameters
    ----------
    filepath : str
        Of the PNG; the PDF lies beside it.
    metadata : dict, optional
        For plugins.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> NoReturn:
        """Refuse: a figure cannot be read back."""
        raise DatasetError(f"{self._filepath}: a figure can be saved and previewed, not loaded")

    def save(self, data: "Figure") -> None:
        """Write both files."""
        for suffix in (".pdf", ".png"):
            with atomic_path(self._filepath.with_suffix(suffix)) as partial:
                data.savefig(partial, format=suffix[1:], dpi=160)

    def preview(self) -> ImagePreview:
        """Show the PNG."""
        return encode_png(self._filepath.read_bytes())

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
