"""How well a test set of so few simulations knows its metrics: an interval for each."""

from dataclasses import dataclass as plain_dataclass

import numpy as np
from jaxtyping import Float64
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from multifield.config.evaluation import BootstrapConfig
from multifield.evaluation.bootstrap import Resamples, Simulation
from multifield.evaluation.metrics import FORMULAS, Marginal, Value, make_marginal
from multifield.evaluation.results import Results, parameter_columns

ONE_SIGMA = 0.6827  # of a Gaussian lies within one standard deviation


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Interval:
    """A metric and what it might as well have been, in the metric's unit.

    Attributes
    ----------
    value : float
        Of all rows, as in metrics.json.
    error : float
        Half the width of the interval with 68.3 % of the resamples: the standard error of a Gaussian,
        yet blind to the few resamples in which a metric breaks down.
    low, high : float
        Between them lies the share `level` of the resamples (percentile interval).
    """

    value: float
    error: float
    low: float
    high: float


Intervals = dict[str, dict[str, Interval]]
"""Metric -> parameter -> interval, as in metrics_intervals.json."""


@plain_dataclass(frozen=True, eq=False)
class _ResampledMarginal(Marginal):
    """A marginal whose sums have one value for each resample."""

    resamples: Resamples

    def total(self, values: np.ndarray) -> Value:
        return self.resamples.totals(values)

    def count(self) -> Value:
        return self.resamples.sizes()

    def spread(self) -> Value:
        """Sum the squared deviations from each resample's own mean.

        A resample in which the truth does not vary has rounding for a spread: its R2 is far below all others.
        """
        centered = self.theta - self.theta.mean()
        squares = self.total(centered**2)
        spread = squares - self.total(centered) ** 2 / self.count()
        return np.maximum(spread, np.finfo(np.float64).eps * np.max(squares))


def estimate_intervals(
    results: Results, simulation: Simulation, config: BootstrapConfig
) -> Intervals:
    """Estimate the interval of every metric by resampling simulations.

    Parameters
    ----------
    results : Results
        What was inferred is scored, as in `score_results`.
    simulation : (M,) int64
        Which simulation each row is of; see `bootstrap.simulation_of_rows`.
    config : BootstrapConfig

    Returns
    -------
    intervals : dict of dict of Interval
        Without metrics that are undefined for a parameter or have no finite interval; without any if there
        is one simulation only, which cannot be resampled.

    Raises
    ------
    ValueError
        If `simulation` is no index of the rows.

    Notes
    -----
    Percentile intervals of R = 1,000 resamples of S = 50 simulations hold the truth about as often as they
    say for means; for R2, whose distribution is skewed, a little less often.
    """
    if len(simulation) != len(results):
        raise ValueError(f"simulation: expected {len(results)} rows, got {len(simulation)}")
    resamples = Resamples(simulation, config)
    intervals: Intervals = {metric: {} for metric in FORMULAS}
    if resamples.n_simulations == 1:
        return intervals
    for name, column in zip(results.inferred, parameter_columns(results.inferred), strict=True):
        tables = (results.theta[:, column], results.mean[:, column], results.std[:, column])
        whole = make_marginal(column, *tables)
        resampled = _ResampledMarginal(
            whole.parameter, whole.theta, whole.mu, whole.sigma, resamples
        )
        for metric, formula in FORMULAS.items():
            value, values = formula(whole), formula(resampled)
            if value is not None and values is not None:
                interval = percentile_interval(float(value), np.asarray(values), config.level)
                intervals[metric] |= {name: interval} if interval else {}
    return intervals


def percentile_interval(
    value: float, values: Float64[np.ndarray, " R"], level: float
) -> Interval | None:
    """Give the interval of a value from its resamples; None if it is not finite."""
    shares = [(1 + sign * share) / 2 for share in (ONE_SIGMA, level) for sign in (-1, 1)]
    lower, upper, low, high = (float(quantile) for quantile in np.quantile(values, shares))
    if not np.isfinite([value, lower, upper, low, high]).all():
        return None
    return Interval(value=value, error=(upper - lower) / 2, low=low, high=high)
