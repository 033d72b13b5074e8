"""Posterior mean and standard deviation of each parameter of each map."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from jaxtyping import Float64

from multifield import camels
from multifield.camels.selection import Selection
from multifield.evaluation import Results, average_orientations, comparable, score_results
from multifield.evaluation.metrics import METRICS

Values = Float64[np.ndarray, "N P"]


@dataclass(frozen=True, eq=False, repr=False)
class Posterior:
    """Posterior mean and standard deviation of each parameter of each map.

    Attributes
    ----------
    results : Results
        Means, standard deviations and truths in physical units, rows ordered (orientation, map).
        Unknown truths are NaN.
    n_orientations : int
        Number of orientations of each map. `mean` and `std` are those of their equal mixture.
    records : sequence of dict
        Mean, standard deviation, recalibrated standard deviation and out-of-distribution flag per
        map.
    trained_on : Selection
        Suite, set and fields of the training maps.
    tested_on : Selection or None
        Suite, set and fields of the maps. None for maps without a suite.
    """

    results: Results
    n_orientations: int
    records: Sequence[Mapping[str, Any]]
    trained_on: Selection
    tested_on: Selection | None

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters, the columns of `mean`, `std` and `truth`."""
        return self.results.inferred

    @property
    def mean(self) -> Values:
        """Posterior means, (N, P), one row per map."""
        return self._column("mean")

    @property
    def std(self) -> Values:
        """Posterior standard deviations, (N, P)."""
        return self._column("std")

    @property
    def std_recalibrated(self) -> Values:
        """Standard deviations, recalibrated by one factor per parameter, (N, P).

        The factors are fitted on validation maps.
        """
        return self._column("std_recalibrated")

    @property
    def truth(self) -> Values | None:
        """True parameters, (N, P). None if unknown."""
        theta = self.results.theta[: len(self), self._columns]
        return None if np.isnan(theta).all() else theta

    @property
    def is_novel(self) -> np.ndarray:
        """Whether each map is flagged as out-of-distribution, (N,) bool."""
        return np.array([bool(record["unlike_training"]) for record in self.records])

    def __len__(self) -> int:
        """Return the number of maps."""
        return len(self.records)

    def table(self) -> pd.DataFrame:
        """Return mean, standard deviation and, if known, truth of each map.

        Returns
        -------
        table : pandas.DataFrame
            One row per map: ``<name>_mean``, ``<name>_std``, ``<name>_std_recalibrated`` and, if
            known, ``<name>_true`` of each parameter; and the out-of-distribution test.
        """
        table = pd.DataFrame(self.records).set_index("map")
        if self.truth is not None:
            names = [f"{name}_true" for name in self.parameters]
            table[names] = self.truth
        return table

    def recalibrated(self) -> "Posterior":
        """Return the posterior with recalibrated standard deviations.

        Returns
        -------
        posterior : Posterior
            One row per map, with orientations combined.
        """
        maps = average_orientations(self.results, self.n_orientations)
        std = maps.std.copy()
        std[:, self._columns] = self.std_recalibrated
        results = Results(maps.theta, maps.mean, std, maps.inferred)
        records = [
            {**row, **{f"{name}_std": row[f"{name}_std_recalibrated"] for name in self.parameters}}
            for row in self.records
        ]
        return Posterior(results, 1, records, self.trained_on, self.tested_on)

    def score(self, per: Literal["orientation", "map"] = "orientation") -> pd.DataFrame:
        """Score means and standard deviations against the truth.

        Parameters
        ----------
        per : {"orientation", "map"}, optional
            Whether each orientation of a map is scored, as in the benchmark and in
            ``metrics.json``, or each map with combined orientations.

        Returns
        -------
        scores : pandas.DataFrame
            One row per metric of `multifield.evaluation.metrics`, one column per parameter:
            ``scores.loc["RMSE"]``. NaN if a metric is undefined. Only cosmological parameters if
            training and test suite differ.

        Raises
        ------
        ValueError
            If the true parameters are unknown.
        """
        if per not in ("orientation", "map"):
            raise ValueError(f"per: Expected orientation or map, got {per!r}.")
        known = self._comparable("scored")
        if per == "map":
            known = average_orientations(known, self.n_orientations)
        scores = pd.DataFrame(score_results(known)).T
        return scores.reindex(index=METRICS, columns=known.inferred)

    def plot(self) -> Any:
        """Draw means and standard deviations against the truth, or per map if the truth is unknown.

        Returns
        -------
        figure : matplotlib.figure.Figure
            One panel per parameter. A notebook shows it after ``%matplotlib inline``.
        """
        from multifield.reporting import figures

        trained_on = self.trained_on
        if self.truth is None:
            return figures.posterior_of_maps(self.results, trained_on.suite, trained_on.field)
        return figures.true_against_predicted(
            self._comparable("compared"),
            trained_on.suite,
            trained_on.field,
            None if self.tested_on == trained_on else self.tested_on,
            n_orientations=self.n_orientations,
        )

    def __repr__(self) -> str:
        """Return a summary with the first maps."""
        shown = pd.DataFrame({name: self._intervals(name) for name in self.parameters})
        trained_on = self.trained_on
        return (
            f"Posterior of {len(self)} maps, by a network trained on {trained_on.suite}: "
            f"{', '.join(trained_on.fields)}; {self.is_novel.sum()} flagged as out-of-distribution\n"
            f"{shown.to_string(max_rows=10)}"
        )

    @property
    def _columns(self) -> list[int]:
        return [camels.PARAMETER_NAMES.index(name) for name in self.parameters]

    def _column(self, what: str) -> Values:
        return np.array(
            [[record[f"{name}_{what}"] for name in self.parameters] for record in self.records]
        )

    def _intervals(self, name: str) -> list[str]:
        return [f"{row[f'{name}_mean']:.3g} +- {row[f'{name}_std']:.1g}" for row in self.records]

    def _comparable(self, done: str) -> Results:
        if self.truth is None or self.tested_on is None:
            raise ValueError(
                f"truth: Expected known parameters of the maps, got none. They cannot be {done}."
            )
        return comparable(self.results, self.trained_on.suite, self.tested_on.suite)
