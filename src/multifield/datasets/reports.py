"""Results: truth, posterior mean and standard deviation of every test map."""

import glob
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from kedro.io import DatasetError

from multifield.datasets.base import FileDataset
from multifield.evaluation import Results, read_results, results_name, write_results


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

    Parameters are those of `ResultsDataset`.
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

    Saving removes files of trials that are not saved: of an earlier run, perhaps of another study. As there
    may be none, the dataset exists where the results of `ResultsDataset` do.

    Parameters are those of `ResultsDataset`.
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


class EnsembleResultsDataset(TrialResultsDataset):
    """Results of the best k networks together: the name of `ResultsDataset` with ``_ensemble_<k>`` added.

    Saved as a mapping of k to results, empty where no ensemble was tested.

    Parameters are those of `ResultsDataset`.
    """

    _word = "ensemble"
