"""Results, metrics and figures."""

import glob
import json
from collections.abc import Mapping
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
    suite, field, label : str
        What the network was trained on, for the name.
    test_suite, test_field, test_label, sim_set : str
        What it was tested on, for the name.
    suffix : str, optional
        Added to the published name where these are not the results it stands for.
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
        test_suite: str,
        test_field: str,
        test_label: str,
        sim_set: str,
        suffix: str = "",
        metadata: dict[str, Any] | None = None,
    ) -> None:
        name = results_name(suite, field, label, test_suite, test_field, test_label, sim_set)
        filepath = Path(path) / f"{name.removesuffix('.txt')}{suffix}.txt"
        super().__init__(filepath=filepath, metadata=metadata)

    def load(self) -> Results:
        """Read the results."""
        return read_results(self._filepath)

    def save(self, data: Results) -> None:
        """Write the results."""
        write_results(self._filepath, data)


class FoundResultsDataset(FileDataset[Any, dict[str, Results]]):
    """Results that an earlier run may have left: under the name ``network``, or nothing.

    Parameters
    ----------
    as ResultsDataset
    """

    def __init__(self, **names: Any) -> None:
        results = ResultsDataset(**names)
        super().__init__(filepath=results._filepath, metadata=results.metadata)

    def load(self) -> dict[str, Results]:
        """Read the results if there are any."""
        return {"network": read_results(self._filepath)} if self._exists() else {}

    def save(self, data: Any) -> NoReturn:
        """Refuse: an earlier run writes them."""
        raise DatasetError(f"{self._filepath}: results found here can be read, not saved")


class TrialResultsDataset(FileDataset[Mapping[int, Results], dict[int, Results]]):
    """Results of several trials, a file each: the name of `ResultsDataset` with ``_trial_<number>`` added.

    Saving removes files of trials that are not saved: of an earlier run, perhaps of another study.

    Parameters
    ----------
    as ResultsDataset
    """

    _word = "trial"

    def __init__(self, **names: Any) -> None:
        results = ResultsDataset(**names)
        super().__init__(filepath=results._filepath, metadata=results.metadata)

    def load(self) -> dict[int, Results]:
        """Read the results of every trial that is there."""
        return {trial: read_results(path) for trial, path in self._files().items()}

    def save(self, data: Mapping[int, Results]) -> None:
        """Write the results of each trial; there may be none."""
        for trial, results in data.items():
            write_results(self._path(trial), results)
        for trial, path in self._files().items():
            if trial not in data:
                path.unlink()

    def _path(self, trial: int | str) -> Path:
        return self._filepath.with_name(f"{self._filepath.stem}_{self._word}_{trial}.txt")

    def _files(self) -> dict[int, Path]:
        prefix = self._path("").stem
        files = self._filepath.parent.glob(f"{glob.escape(prefix)}*.txt")
        numbers = {path.stem.removeprefix(prefix): path for path in files}
        return {int(number): path for number, path in sorted(numbers.items()) if number.isdigit()}

    def _exists(self) -> bool:
        return bool(self._files())


class EnsembleResultsDataset(TrialResultsDataset):
    """Results of the best k networks together: the name of `ResultsDataset` with ``_ensemble_<k>`` added.

    Saved as a mapping of k to results, empty where no ensemble was tested.

    Parameters
    ----------
    as ResultsDataset
    """

    _word = "ensemble"


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


class FigureDataset(FileDataset["Figure", bytes]):
    """A figure as PNG, for screens, and PDF, for papers.

    Saved as a figure, loaded as the bytes of its PNG.

    Parameters
    ----------
    filepath : str
        Of the PNG; the PDF lies beside it.
    metadata : dict, optional
        For plugins.
    """

    def load(self) -> bytes:
        """Read the PNG."""
        return self._filepath.read_bytes()

    def save(self, data: "Figure") -> None:
        """Write both files."""
        for suffix in (".pdf", ".png"):
            with atomic_path(self._filepath.with_suffix(suffix)) as partial:
                data.savefig(partial, format=suffix[1:], dpi="figure")

    def preview(self) -> ImagePreview:
        """Show the PNG."""
        return encode_png(self.load())


class PageDataset(FileDataset[str, str]):
    """A page of HTML.

    Parameters
    ----------
    filepath : str
    metadata : dict, optional
        For plugins.
    """

    def load(self) -> str:
        """Read the page."""
        return self._filepath.read_text(encoding="utf-8")

    def save(self, data: str) -> None:
        """Write the page."""
        with atomic_path(self._filepath) as partial:
            partial.write_text(data, encoding="utf-8")
