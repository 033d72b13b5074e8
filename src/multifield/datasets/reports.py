"""Results, metrics and figures."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from kedro.io import DatasetError
from kedro_datasets._typing import ImagePreview, JSONPreview

from multifield.atomic import atomic_path
from multifield.datasets.base import FileDataset
from multifield.datasets.previews import encode_png
from multifield.evaluation import Results, read_results, results_name, write_results
from multifield.evaluation.metrics import Metrics

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class ResultsDataset(FileDataset[Results, Results]):
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
        super().__init__(filepath=Path(path) / name, metadata=metadata)

    def load(self) -> Results:
        """Read the results."""
        return read_results(self._filepath)

    def save(self, data: Results) -> None:
        """Write the results."""
        write_results(self._filepath, data)


class MetricsDataset(FileDataset[Metrics, Metrics]):
    """Metrics by name and parameter, as JSON.

    Parameters
    ----------
    filepath : str
    metadata : dict, optional
        For plugins.
    """

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


class FigureDataset(FileDataset["Figure", NoReturn]):
    """A figure as PNG, for screens, and PDF, for papers.

    Parameters
    ----------
    filepath : str
        Of the PNG; the PDF lies beside it.
    metadata : dict, optional
        For plugins.
    """

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
