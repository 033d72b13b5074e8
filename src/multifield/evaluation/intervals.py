"""Bootstrap intervals of every metric, before and after recalibration.

Metrics after recalibration depend on two sets: the test set, and the validation set to which the
factors of the widths were fitted. Both are resampled. With the factor held fixed and as many
validation as test simulations, the interval of chi2 would be too short by sqrt(2).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass as plain_dataclass

import numpy as np
from jaxtyping import Float64, Int64
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from multifield.config.evaluation import BootstrapConfig
from multifield.evaluation.bootstrap import Resamples, Simulation
from multifield.evaluation.information import Nats, measure_information
from multifield.evaluation.metrics import FORMULAS, LOG_PROB, Marginal, Value, make_marginal
from multifield.evaluation.recalibration import differentiate, fit_factors, recalibrate
from multifield.evaluation.results import Results

ONE_SIGMA = 0.6827  # probability of a Gaussian within one standard deviation


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Interval:
    """A metric and its bootstrap interval, in the unit of the metric.

    Attributes
    ----------
    value : float
        Metric of all rows, as in metrics.json.
    error : float
        Half the width of the interval that contains 68.27% of the resamples. For a Gaussian it is
        the standard error. It ignores the few resamples in which a metric breaks down.
    low, high : float
        Ends of the percentile interval that contains the share `level` of the resamples.
    """

    value: float
    error: float
    low: float
    high: float


Intervals = dict[str, dict[str, Interval]]
"""Metric -> parameter -> interval, as in metrics_intervals.json."""


@plain_dataclass(frozen=True, eq=False)
class _ResampledMarginal(Marginal):
    """A marginal whose sums have one value per resample."""

    resamples: Resamples

    def total(self, values: np.ndarray) -> Value:
        return self.resamples.totals(values)

    def count(self) -> Value:
        return self.resamples.sizes()

    def spread(self) -> Value:
        """Sum the squared deviations from each resample's own mean.

        The lower bound is the rounding error. It keeps R2 finite, though far below all others, in a
        resample in which the truth does not vary.
        """
        centered = self.theta - self.theta.mean()
        squares = self.total(centered**2)
        spread = squares - self.total(centered) ** 2 / self.count()
        return np.maximum(spread, np.finfo(np.float64).eps * np.max(squares))


def estimate_intervals(
    results: Results, simulation: Simulation, config: BootstrapConfig, nats: Nats | None = None
) -> Intervals:
    """Estimate the interval of every metric by resampling simulations.

    Parameters
    ----------
    results : Results
        Posteriors of the test maps. The inferred parameters are scored, as in `score_results`.
    simulation : (M,) int64
        Simulation number of each row; see `bootstrap.simulation_of_rows`.
    config : BootstrapConfig
        Number of resamples, seed and level of the intervals.
    nats : (M,) float64, optional
        Information of each row. By default it is measured.

    Returns
    -------
    intervals : dict of dict of Interval
        Metric -> parameter -> interval. A metric that is undefined for a parameter, or whose
        interval is not finite, is left out. With a single simulation there are no intervals.

    Raises
    ------
    ValueError
        If `simulation` and `results` differ in length, or a simulation number is missing.

    Notes
    -----
    With 1,000 resamples of 50 simulations the coverage of percentile intervals is close to nominal
    for means. For R2, whose distribution is skewed, it is slightly lower.
    """
    _check_index("simulation", simulation, results)
    resamples = Resamples(simulation, config)
    intervals: Intervals = {metric: {} for metric in (LOG_PROB, *FORMULAS)}
    if resamples.n_simulations == 1:
        return intervals
    nats = measure_information(results) if nats is None else nats
    averages = resamples.totals(nats) / resamples.sizes()
    intervals[LOG_PROB] = _of_all(results, percentile_interval(nats.mean(), averages, config.level))
    for name in results.inferred:
        for metric, (value, values) in _resample_metrics(results, name, resamples).items():
            interval = percentile_interval(value, values, config.level)
            intervals[metric] |= {name: interval} if interval else {}
    return intervals


def _of_all(results: Results, interval: Interval | None) -> dict[str, Interval]:
    return {"+".join(results.inferred): interval} if interval else {}


def estimate_differences(
    results: Results, reference: Results, simulation: Simulation, config: BootstrapConfig
) -> Intervals:
    """Estimate the difference of every metric between two predictions of the same maps.

    Both are scored on the same resamples, so that what makes a simulation hard cancels.

    Parameters
    ----------
    results, reference : Results
        Posteriors of the same maps, with the same true parameters.
    simulation : (M,) int64
        Simulation number of each row.
    config : BootstrapConfig
        Number of resamples, seed and level of the intervals.

    Returns
    -------
    differences : dict of dict of Interval
        Metric -> parameter -> metric of `results` minus metric of `reference`, for parameters that
        both infer. Undefined differences are left out.

    Raises
    ------
    ValueError
        If the true parameters differ.
    """
    _check_index("simulation", simulation, results)
    shared = [name for name in results.inferred if name in reference.inferred]
    if not all(np.array_equal(results.of(name)[0], reference.of(name)[0]) for name in shared):
        raise ValueError("reference: Expected the true parameters of `results`, got others.")
    resamples = Resamples(simulation, config)
    differences: Intervals = {metric: {} for metric in FORMULAS}
    if resamples.n_simulations == 1:
        return differences
    for name in shared:
        ours, theirs = (_resample_metrics(r, name, resamples) for r in (results, reference))
        for metric in (metric for metric in ours if metric in theirs):
            (value, values), (other, others) = ours[metric], theirs[metric]
            interval = percentile_interval(value - other, values - others, config.level)
            differences[metric] |= {name: interval} if interval else {}
    return differences


def _resample_metrics(
    results: Results, name: str, resamples: Resamples
) -> dict[str, tuple[float, Float64[np.ndarray, " R"]]]:
    """Score a parameter on all rows and on each resample; undefined metrics are left out."""
    whole = _marginal(results, name)
    resampled = _ResampledMarginal(whole.parameter, whole.theta, whole.mu, whole.sigma, resamples)
    found = {metric: (formula(whole), formula(resampled)) for metric, formula in FORMULAS.items()}
    return {
        metric: (float(value), np.asarray(values))
        for metric, (value, values) in found.items()
        if value is not None and values is not None
    }


def percentile_interval(
    value: float, values: Float64[np.ndarray, " R"], level: float
) -> Interval | None:
    """Give the percentile interval of a value from its resamples.

    Parameters
    ----------
    value : float
        Value of all rows.
    values : (R,) float64
        Value of each resample.
    level : float
        Share of the resamples inside the interval.

    Returns
    -------
    interval : Interval or None
        Interval of the value, or None if it is not finite.
    """
    shares = [(1 + sign * share) / 2 for share in (ONE_SIGMA, level) for sign in (-1, 1)]
    lower, upper, low, high = (float(quantile) for quantile in np.quantile(values, shares))
    if not np.isfinite([value, lower, upper, low, high]).all():
        return None
    return Interval(value=value, error=(upper - lower) / 2, low=low, high=high)


# ---- after recalibration ----

OF_SIGMA = (LOG_PROB, "chi2", "bayesian_error", "precision", "coverage_68", "coverage_95")
"""Metrics that recalibration changes."""
LEAST_CHANGE = -0.9  # of the variance relative to that of all rows
_CHUNK = 20  # resamples at a time: each needs a row of M standard deviations in memory
_VALIDATION = (1,)  # random stream of the validation set; the test set uses ()


@plain_dataclass(frozen=True, eq=False)
class _RescaledMarginal(Marginal):
    """A marginal in C resamples with different standard deviations, rows ordered by simulation.

    Attributes
    ----------
    sigma : (C, M) float64
        Standard deviations in each resample.
    starts : (S,) int64
        First row of each simulation.
    counts : (C, S) int64
        How often each resample contains each simulation.
    """

    sigma: Float64[np.ndarray, "C M"]
    starts: Int64[np.ndarray, " S"]
    counts: Int64[np.ndarray, "C S"]

    def total(self, values: np.ndarray) -> Value:
        rows = np.atleast_2d(np.asarray(values, np.float64))
        total: Value = np.sum(self.counts * np.add.reduceat(rows, self.starts, axis=1), axis=1)
        return total

    def count(self) -> Value:
        return self.total(np.ones(len(self.theta)))


def estimate_recalibrated_intervals(
    test: Results,
    test_simulation: Simulation,
    valid: Results,
    valid_simulation: Int64[np.ndarray, " V"],
    config: BootstrapConfig,
    metrics: Sequence[str] = OF_SIGMA,
) -> Intervals:
    """Estimate the intervals of the metrics that recalibration changes.

    Each resample draws test and validation simulations independently of each other. It fits the
    factors of the widths to the validation simulations and scores the test simulations with them.

    Parameters
    ----------
    test : Results
        Posteriors of the test maps, not recalibrated. The inferred parameters are scored.
    test_simulation : (M,) int64
        Simulation number of each test row; see `bootstrap.simulation_of_rows`.
    valid : Results
        Posteriors of the validation maps by the same network, in as many orientations. The factors
        are fitted to them.
    valid_simulation : (V,) int64
        Simulation number of each validation row.
    config : BootstrapConfig
        Number of resamples, seed and level of the intervals.
    metrics : sequence of str, optional
        Metrics from `OF_SIGMA`; `estimate_intervals` gives the others.

    Returns
    -------
    intervals : dict of dict of Interval
        Metric -> parameter -> interval around the value of `score_recalibrated`. A metric that is
        undefined for a parameter, or whose interval is not finite, is left out. With a single test
        or validation simulation there are no intervals.

    Raises
    ------
    ValueError
        If an index and its results differ in length, or a parameter has no factor.

    Notes
    -----
    Factors of a resample differ from those of all rows by one Newton step in the variance. They are
    shrunk with the
    standard error of all rows. They multiply the standard deviations, also of joint posteriors,
    whose information is expanded to second order.
    """
    _check_index("test_simulation", test_simulation, test)
    _check_index("valid_simulation", valid_simulation, valid)
    fit = fit_factors(valid, valid_simulation)
    fitted = dict(zip(valid.inferred, fit.shrunk().tolist(), strict=True))
    after = recalibrate(test, fitted)
    intervals: Intervals = {metric: {} for metric in metrics}
    drawn_test = Resamples(test_simulation, config)
    drawn_valid = Resamples(valid_simulation, config, _VALIDATION)
    if min(drawn_test.n_simulations, drawn_valid.n_simulations) == 1:
        return intervals
    totals = np.stack([drawn_valid.totals(each) for each in fit.influence.T], axis=1)
    variances = 2 * totals / drawn_valid.sizes()[:, None]  # relative change, exact for Gaussians
    factors = fit.shrunk(0.5 * np.log1p(np.maximum(variances, LEAST_CHANGE)))
    relative = {
        name: factors[:, valid.inferred.index(name)] / fitted[name] for name in test.inferred
    }
    if LOG_PROB in metrics:
        interval = _interval_of_information(after, drawn_test, relative, config.level)
        intervals[LOG_PROB] = _of_all(test, interval)
    for name in test.inferred:
        whole = _marginal(after, name)
        for metric in metrics:
            if metric != LOG_PROB:
                found = _interval(metric, whole, drawn_test, relative[name], config.level)
                intervals[metric] |= {name: found} if found else {}
    return intervals


def _check_index(label: str, simulation: np.ndarray, results: Results) -> None:
    if len(simulation) != len(results):
        raise ValueError(f"{label}: Expected {len(results)} rows, got {len(simulation)}.")


def _marginal(results: Results, name: str) -> Marginal:
    return make_marginal(results.space[name], *results.of(name))


def _interval_of_information(
    after: Results,
    drawn: Resamples,
    relative: Mapping[str, Float64[np.ndarray, " R"]],
    level: float,
) -> Interval | None:
    """Average the information over each resample with its own factors, relative to `after`."""
    information, slopes, curvatures = differentiate(after.posterior, after.truth)
    totals = drawn.totals(information)
    for name, slope, curvature in zip(after.inferred, slopes.T, curvatures.T, strict=True):
        log = np.log(relative[name])
        totals = totals + log * drawn.totals(slope) + 0.5 * log**2 * drawn.totals(curvature)
    return percentile_interval(information.mean(), totals / drawn.sizes(), level)


def _interval(
    metric: str,
    whole: Marginal,
    drawn: Resamples,
    factors: Float64[np.ndarray, " R"],
    level: float,
) -> Interval | None:
    """Score each resample of a marginal with its own factor, relative to that of `whole`."""
    formula = FORMULAS[metric]
    value = formula(whole)
    if value is None:  # a resample contains no other rows, so it is undefined there too
        return None
    order = np.argsort(drawn.simulation, kind="stable")
    starts = np.searchsorted(drawn.simulation[order], np.arange(drawn.n_simulations))
    theta, mu, sigma = (each[order] for each in (whole.theta, whole.mu, whole.sigma))
    values = []
    for first in range(0, len(factors), _CHUNK):
        part = slice(first, first + _CHUNK)
        sigmas = factors[part, None] * sigma
        resampled = _RescaledMarginal(
            whole.parameter, theta, mu, sigmas, starts, drawn.counts[part]
        )
        values.append(np.asarray(formula(resampled)))
    return percentile_interval(float(value), np.concatenate(values), level)
