"""Posteriors of maps: moments, draws, log-probabilities, credible regions, figures and files."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from jaxtyping import Float, Float64

from multifield.camels.selection import Selection
from multifield.evaluation import (
    Draws,
    Results,
    average_orientations,
    comparable,
    draw,
    recalibrate,
    score_results,
)
from multifield.evaluation.combined import CombinedPosterior
from multifield.evaluation.draws import equal_tailed, log_prob_of
from multifield.evaluation.joint import JointPosterior
from multifield.evaluation.metrics import LOG_PROB, METRICS

if TYPE_CHECKING:
    from getdist import MCSamples
    from xarray import DataTree

N_DRAWS = 2000
"""Default number of draws per map. The ends of a 68% interval then scatter by 3% of its width."""

Values = Float64[np.ndarray, "N P"]
PathLike = str | os.PathLike[str]


@dataclass(frozen=True, eq=False)
class CredibleRegion:
    """Region of highest posterior density of each map.

    Attributes
    ----------
    level : float
        Posterior probability inside the region.
    threshold : (N,) float64
        Log-probability at the edge of each region [nats].
    posterior : Posterior
        Posteriors of the N maps.
    """

    level: float
    threshold: Float64[np.ndarray, " N"]
    posterior: "Posterior"

    def contains(self, theta: Any) -> np.ndarray:
        """Tell whether parameters are inside the region.

        Parameters
        ----------
        theta : array
            Parameters in physical units, with a shape that `Posterior.log_prob` accepts.

        Returns
        -------
        inside : bool array
            One value per parameter vector, in the shape of `Posterior.log_prob`.
        """
        log_prob = self.posterior.log_prob(theta)
        edge = self.threshold if log_prob.ndim == 1 else self.threshold[:, np.newaxis]
        inside: np.ndarray = log_prob >= edge
        return inside


@dataclass(frozen=True, eq=False, repr=False)
class Posterior:
    """Joint posterior of the parameters of each map.

    The prior is uniform in the latin hypercube. ``posterior[3]`` is the posterior of one map, and
    ``posterior[:15]`` those of the first 15; both are again a `Posterior`.

    Attributes
    ----------
    results : Results
        Posteriors and truths in physical units, rows ordered (orientation, map). Unknown truths are
        NaN.
    n_orientations : int
        Number of orientations of each map. The posterior of a map is their equal mixture.
    records : sequence of dict
        Mean, standard deviation, recalibrated standard deviation and out-of-distribution flag per
        map.
    factors : dict of str to float
        Recalibration factor of each parameter, fitted on validation maps.
    share : float or None
        Effective number of independent maps of a simulation over their number, from validation
        maps. None if it is not known.
    trained_on : Selection
        Suite, set and fields of the training maps.
    tested_on : Selection or None
        Suite, set and fields of the maps. None for maps without a suite.
    """

    results: Results
    n_orientations: int
    records: Sequence[Mapping[str, Any]]
    factors: Mapping[str, float]
    share: float | None
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

    @property
    def covariance(self) -> Float64[np.ndarray, "N P P"]:
        """Posterior covariances, (N, P, P)."""
        _, covariance = self.joint.moments()
        return covariance

    @cached_property
    def joint(self) -> JointPosterior:
        """Joint posteriors with one row per map, mixtures over networks and orientations."""
        return self.results.posterior.mixed(self.n_orientations)

    def __len__(self) -> int:
        """Return the number of maps."""
        return len(self.records)

    def __getitem__(
        self, rows: int | np.integer | slice | Sequence[int] | np.ndarray
    ) -> "Posterior":
        """Keep some maps; a number keeps one."""
        if isinstance(rows, int | np.integer):
            if not -len(self) <= rows < len(self):
                raise IndexError(
                    f"posterior: Expected a map from 0 to {len(self) - 1}, got {rows}."
                )
            rows = [int(rows)]
        kept = np.arange(len(self))[rows]
        first = len(self) * np.arange(self.n_orientations)
        results = self.results.take((first[:, np.newaxis] + kept).ravel())
        return replace(self, results=results, records=[self.records[row] for row in kept])

    # ---- what it says about parameters ----

    def log_prob(self, theta: Any) -> Float64[np.ndarray, "..."]:
        """Compute the joint log-probability of parameters against the uniform prior.

        It is the logarithm of posterior over prior density [nats]: 0 where a map says nothing, and
        3 where the posterior is 20 times the prior. Subtract the logarithm of the prior volume for
        a density in physical units.

        Parameters
        ----------
        theta : (N, P), (P,) or (N, n, P) array
            Parameters in physical units, columns as `parameters`: one vector per map, one for all
            maps, or n per map. For one map also (n, P).

        Returns
        -------
        log_prob : (N,) or (N, n) float64
            Log-probability [nats]; (n,) for one map and (n, P). Minus infinity outside the prior,
            unless the head is ``diagonal``, which is not bounded.

        Raises
        ------
        ValueError
            If the shape is wrong or a value is NaN.
        """
        values = np.asarray(theta, np.float64)
        n_maps, n_parameters = len(self), len(self.parameters)
        single = n_maps == 1 and values.ndim == 2
        if values.shape == (n_parameters,):
            at = np.broadcast_to(values, (n_maps, 1, n_parameters))
        elif single and values.shape[1:] == (n_parameters,):
            at = values[np.newaxis]
        elif values.shape == (n_maps, n_parameters):
            at = values[:, np.newaxis]
        elif values.ndim == 3 and values.shape[::2] == (n_maps, n_parameters):
            at = values
        else:
            raise ValueError(
                f"theta: Expected shape ({n_maps}, {n_parameters}), ({n_parameters},) or "
                f"({n_maps}, n, {n_parameters}) for {n_maps} maps and the parameters "
                f"{', '.join(self.parameters)}, got {values.shape}."
            )
        if np.isnan(values).any():
            name = self.parameters[int(np.argwhere(np.isnan(values))[0, -1])]
            raise ValueError(f"theta: Expected numbers, got NaN for {name}.")
        log_prob: np.ndarray = log_prob_of(self.joint, at)
        if values.ndim < 3:
            log_prob = log_prob[0] if single else log_prob[:, 0]
        return log_prob

    def sample(self, n: int = N_DRAWS, seed: int = 0) -> Float64[np.ndarray, "N n P"]:
        """Draw parameters from the posterior of each map.

        Parameters
        ----------
        n : int, optional
            Number of draws per map.
        seed : int, optional
            Seed of the draws.

        Returns
        -------
        draws : (N, n, P) float64
            Independent draws in physical units.

        Raises
        ------
        ValueError
            If `n` is not >= 1.
        """
        return self.joint.sample(n, seed)

    def draws(self, n: int = N_DRAWS, seed: int = 0) -> Draws:
        """Draw parameters with their log-probabilities, for files and figures.

        Parameters
        ----------
        n : int, optional
            Number of draws per map.
        seed : int, optional
            Seed of the draws.

        Returns
        -------
        draws : Draws
            Draws, their log-probabilities, and the truth.
        """
        return draw(self.results, n, seed, n_orientations=self.n_orientations)

    def marginal(self, names: str | Sequence[str]) -> "Posterior":
        """Marginalize over all parameters but some.

        Parameters
        ----------
        names : str or sequence of str
            Names of the parameters to keep.

        Returns
        -------
        posterior : Posterior
            Posteriors of the same maps.

        Raises
        ------
        ValueError
            If a name is unknown. The message suggests the nearest.
        """
        chosen = (names,) if isinstance(names, str) else tuple(names)
        kept = self.joint.marginal(chosen).parameters  # checks the names
        hidden = tuple(f"{name}_" for name in self.parameters if name not in kept)
        records = [
            {key: value for key, value in record.items() if not key.startswith(hidden)}
            for record in self.records
        ]
        factors = {name: self.factors[name] for name in kept}
        # the product of marginal posteriors is not the marginal of the product
        share = self.share if kept == self.parameters else None
        return replace(
            self,
            results=self.results.marginal(kept),
            records=records,
            factors=factors,
            share=share,
        )

    def of_simulations(self, n_maps: int) -> CombinedPosterior:
        """Combine the maps of each simulation into one posterior.

        Likelihoods are multiplied, so the prior counts once. Maps of a simulation share structure,
        so n maps count as ``share * n`` independent ones.

        Parameters
        ----------
        n_maps : int
            Number of consecutive maps of each simulation.

        Returns
        -------
        posterior : CombinedPosterior
            One posterior per simulation, with ``mean``, ``std``, ``covariance``, ``sample`` and
            ``log_prob``.

        Raises
        ------
        ValueError
            If the number of maps is not a multiple of `n_maps`, or the share is not known, as after
            `marginal`.
        """
        if n_maps < 1 or len(self) % n_maps:
            raise ValueError(f"n_maps: Expected a divisor of {len(self)} maps, got {n_maps}.")
        if self.share is None:
            raise ValueError(
                "share: Expected posteriors of all parameters, by networks that were trained on "
                "several maps per simulation, got others. Combine before `marginal`."
            )
        return CombinedPosterior.of_maps(self.joint.inside_prior(), n_maps, self.share)

    def credible_region(
        self, level: float = 0.68, n: int = N_DRAWS, seed: int = 0
    ) -> CredibleRegion:
        """Find the region of highest posterior density of each map.

        Parameters
        ----------
        level : float, optional
            Posterior probability inside the region.
        n : int, optional
            Number of draws per map. They set the log-probability at the edge of the region.
        seed : int, optional
            Seed of the draws.

        Returns
        -------
        region : CredibleRegion
            Edges of the regions. ``region.contains(theta)`` tests parameters.
        """
        return CredibleRegion(level, self.draws(n, seed).threshold(level), self)

    def intervals(
        self, level: float = 0.68, n: int = N_DRAWS, seed: int = 0
    ) -> Float[np.ndarray, "N P 2"]:
        """Compute equal-tailed credible intervals of each parameter.

        Parameters
        ----------
        level : float, optional
            Posterior probability inside an interval.
        n : int, optional
            Number of draws per map.
        seed : int, optional
            Seed of the draws.

        Returns
        -------
        intervals : (N, P, 2) float64
            Lower and upper end of each interval in physical units.
        """
        return equal_tailed(self.sample(n, seed), level)

    # ---- tables and scores ----

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
        results = recalibrate(maps, self.factors)
        records = [
            {**row, **{f"{name}_std": row[f"{name}_std_recalibrated"] for name in self.parameters}}
            for row in self.records
        ]
        return replace(self, results=results, n_orientations=1, records=records)

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
            ``scores.loc["RMSE"]``. NaN if a metric is undefined. The first row, ``log_prob``, is
            the information of a map about all parameters together [nats], equal in all columns.
            Only cosmological parameters if training and test suite differ.

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
        scores = score_results(known)
        [information] = scores[LOG_PROB].values()
        scores[LOG_PROB] = dict.fromkeys(known.inferred, information)
        table = pd.DataFrame(scores).T
        return table.reindex(index=(LOG_PROB, *METRICS), columns=known.inferred)

    # ---- figures ----

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
            maps = average_orientations(self.results, self.n_orientations)
            return figures.posterior_of_maps(maps, trained_on.suite, trained_on.field)
        return figures.true_against_predicted(
            self._comparable("compared"),
            trained_on.suite,
            trained_on.field,
            None if self.tested_on == trained_on else self.tested_on,
            n_orientations=self.n_orientations,
        )

    def plot_corner(
        self,
        maps: int | np.integer | Sequence[int] | np.ndarray = 0,
        *,
        beside: Mapping[str, "Posterior"] | None = None,
        names: Sequence[str] | None = None,
        n: int = N_DRAWS,
        seed: int = 0,
    ) -> Any:
        """Draw the posteriors of one or several maps, for each pair of parameters.

        Parameters
        ----------
        maps : int or sequence of int, optional
            Number of the map, from 0. Several maps, such as the 15 of a simulation, are drawn as
            thin lines.
        beside : mapping of str to Posterior, optional
            Label in the legend -> posterior of one map to draw over them: by another network or
            suite, or of the same simulation.
        names : sequence of str, optional
            Names of the parameters to draw. If not given, all.
        n : int, optional
            Number of draws per posterior.
        seed : int, optional
            Seed of the draws.

        Returns
        -------
        figure : matplotlib.figure.Figure
            Regions of 68% and 95% in a triangle of panels, estimated by GetDist. Truth and bounds of
            the prior are marked.
        """
        from multifield.reporting import figures

        chosen = self if names is None else self.marginal(names)
        several = not isinstance(maps, int | np.integer)
        for label, other in (beside or {}).items():
            if len(other) != 1:
                raise ValueError(
                    f"beside[{label!r}]: Expected the posterior of one map, got {len(other)} maps. "
                    "Choose one with posterior[number]."
                )
        drawn = chosen[maps].draws(n, seed)
        named = {label: other.draws(n, seed) for label, other in (beside or {}).items()}
        if not several:
            label = self.trained_on.suite if named else f"Map {maps}"
            named = {f"{label}, {' + '.join(self.trained_on.fields)}": drawn, **named}
        return figures.corner(
            named, self.trained_on.suite, self.trained_on.field, thin=drawn if several else None
        )

    def plot_contours(
        self,
        names: tuple[str, str] = ("Omega_m", "sigma_8"),
        *,
        level: float = 0.68,
        n: int = N_DRAWS,
        seed: int = 0,
    ) -> Any:
        """Draw the contour of each map in the plane of two parameters.

        Parameters
        ----------
        names : (str, str), optional
            Names of the parameters.
        level : float, optional
            Posterior probability inside a contour.
        n : int, optional
            Number of draws per map.
        seed : int, optional
            Seed of the draws.

        Returns
        -------
        figure : matplotlib.figure.Figure
            One contour per map, of at most 30 evenly spaced maps. If the truth is known, it is
            marked, and each simulation has one map.
        """
        from multifield.reporting import figures

        shown = self.marginal(names)
        shown = shown[figures.spread(self.results.truth[: len(self)])]
        trained_on = self.trained_on
        tested_on = None if self.tested_on == trained_on else self.tested_on
        return figures.contours_of_maps(
            shown.draws(n, seed), trained_on.suite, trained_on.field, tested_on, level=level
        )

    # ---- files ----

    def to_parquet(self, path: PathLike, *, n: int = N_DRAWS, seed: int = 0) -> None:
        """Write draws as a long Parquet table, one row per draw; see `Draws.to_table`.

        Parameters
        ----------
        path : path-like
            File to write.
        n : int, optional
            Number of draws per map.
        seed : int, optional
            Seed of the draws.
        """
        self.draws(n, seed).write_parquet(path)

    def to_netcdf(self, path: PathLike, *, n: int = N_DRAWS, seed: int = 0) -> None:
        """Write draws as NetCDF for ArviZ. It needs the extra ``netcdf``; see `to_arviz`.

        Parameters
        ----------
        path : path-like
            File to write.
        n : int, optional
            Number of draws per map.
        seed : int, optional
            Seed of the draws.
        """
        self.draws(n, seed).write_netcdf(path)

    def to_arviz(self, *, n: int = N_DRAWS, seed: int = 0) -> "DataTree":
        """Return draws as ArviZ represents posteriors; see `Draws.to_arviz`.

        Parameters
        ----------
        n : int, optional
            Number of draws per map.
        seed : int, optional
            Seed of the draws.

        Returns
        -------
        tree : xarray.DataTree
            Groups ``posterior``, ``sample_stats`` and, if the truth is known, ``constant_data``.
        """
        return self.draws(n, seed).to_arviz()

    def to_getdist(
        self, folder: PathLike, *, number: int = 0, n: int = N_DRAWS, seed: int = 0
    ) -> None:
        """Write draws of one map as a GetDist chain, ``map_<number>.txt`` and its companions.

        Parameters
        ----------
        folder : path-like
            Folder for the files. ``getdist.loadMCSamples("<folder>/map_<number>")`` reads them.
        number : int, optional
            Number of the map, from 0.
        n : int, optional
            Number of draws.
        seed : int, optional
            Seed of the draws.
        """
        self[number].draws(n, seed).write_getdist(Path(folder) / f"map_{number}")

    def to_getdist_samples(
        self, number: int = 0, *, n: int = N_DRAWS, seed: int = 0
    ) -> "MCSamples":
        """Return draws of one map as GetDist represents a chain; see `Draws.to_getdist`.

        Parameters
        ----------
        number : int, optional
            Number of the map, from 0.
        n : int, optional
            Number of draws.
        seed : int, optional
            Seed of the draws.

        Returns
        -------
        samples : getdist.MCSamples
            The chain.
        """
        return self[number].draws(n, seed).to_getdist()

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
        return list(self.results.space.columns(self.parameters))

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
