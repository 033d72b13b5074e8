"""Results: true value, posterior mean and standard deviation of every test map."""

import glob
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

from multifield import evaluation  # loads PyTorch at the first use of a name
from multifield.datasets.base import FileDataset, Loaded, Saved


class ResultsFileDataset(FileDataset[Saved, Loaded]):
    """File of results under the benchmark's name. A subclass loads and saves it.

    Parameters
    ----------
    path : str
        Folder of all results.
    suite, field, label : str
        Training data of the network, for the name.
    test_suite, test_field, test_label, sim_set : str
        Test data, for the name.
    suffix : str, optional
        Suffix of the published name, for results that the benchmark does not have.
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
        test_suite: str,
        test_field: str,
        test_label: str,
        sim_set: str,
        suffix: str = "",
        metadata: dict[str, Any] | None = None,
    ) -> None:
        name = evaluation.results_name(
            suite, field, label, test_suite, test_field, test_label, sim_set
        )
        filepath = Path(path) / f"{name.removesuffix('.txt')}{suffix}.txt"
        super().__init__(filepath=filepath, metadata=metadata)


class ResultsDataset(ResultsFileDataset["evaluation.Results", "evaluation.Results"]):
    """True value, posterior mean and standard deviation of every test map, in 18 columns of text.

    The arguments are those of `ResultsFileDataset`.
    """

    def load(self) -> "evaluation.Results":
        """Read the results."""
        return evaluation.read_results(self._filepath)

    def save(self, data: "evaluation.Results") -> None:
        """Write the results."""
        evaluation.write_results(self._filepath, data)


class FoundResultsDataset(ResultsFileDataset[Any, "dict[str, evaluation.Results]"]):
    """Results of an earlier run, if they exist, under the name ``network``.

    The arguments are those of `ResultsFileDataset`.
    """

    def load(self) -> "dict[str, evaluation.Results]":
        """Read the results if they exist."""
        return {"network": evaluation.read_results(self._filepath)} if self._exists() else {}

    def save(self, data: Any) -> NoReturn:
        """Raise an error: an earlier run writes them."""
        raise DatasetError(f"{self._filepath}: Expected only loads of this dataset, got a save.")


class TrialResultsDataset(
    ResultsFileDataset["Mapping[int, evaluation.Results]", "dict[int, evaluation.Results]"]
):
    """Results of several trials, in files named as in `ResultsDataset` with ``_trial_<number>``.

    Saving removes the files of other trials, which an earlier run wrote. There may be no trials, so
    the dataset exists if the results of `ResultsDataset` exist. The arguments are those of
    `ResultsFileDataset`.
    """

    _word = "trial"

    def load(self) -> "dict[int, evaluation.Results]":
        """Read the results of every trial."""
        return {trial: evaluation.read_results(path) for trial, path in self._files().items()}

    def save(self, data: "Mapping[int, evaluation.Results]") -> None:
        """Write the results of each trial."""
        for trial, results in data.items():
            evaluation.write_results(self._path(trial), results)
        for trial, path in self._files().items():
            if trial not in data:
                path.unlink()
                evaluation.joint_path(path).unlink(missing_ok=True)

    def _path(self, trial: int | str) -> Path:
        return self._filepath.with_name(f"{self._filepath.stem}_{self._word}_{trial}.txt")

    def _files(self) -> dict[int, Path]:
        prefix = self._path("").stem
        files = self._filepath.parent.glob(f"{glob.escape(prefix)}*.txt")
        numbers = {path.stem.removeprefix(prefix): path for path in files}
        return {int(number): path for number, path in sorted(numbers.items()) if number.isdigit()}


class EnsembleResultsDataset(TrialResultsDataset):
    """Results of ensembles of the best k networks, in files with ``_ensemble_<k>``.

    The results are a mapping of k to results, which is empty if no ensemble was tested. The
    arguments are those of `ResultsFileDataset`.
    """

    _word = "ensemble"


class DrawsFilesDataset(AbstractDataset["Mapping[str, evaluation.Draws]", NoReturn]):
    """Draws as NetCDF and as GetDist chains, in the files that a configuration asks for.

    Parameters
    ----------
    filepath : str
        Path without ending.
    metadata : dict, optional
        Metadata for Kedro plugins.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> NoReturn:
        """Raise an error: other programs read these files."""
        raise DatasetError(f"{self._filepath}: Expected only saves of this dataset, got a load.")

    def save(self, data: "Mapping[str, evaluation.Draws]") -> None:
        """Write the files; see `multifield.evaluation.draws.write_files`."""
        evaluation.write_files(self._filepath, data)

    def _exists(self) -> bool:
        return True  # there may be no file

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
