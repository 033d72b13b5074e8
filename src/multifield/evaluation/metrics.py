"""Metrics of inferred parameters against the truth: one number per metric and parameter.

With theta the truth, mu the posterior mean and sigma the posterior standard deviation of a
parameter, and averages over the test maps:

================ ==================================================== =====================
metric           formula                                              unit, ideal
================ ==================================================== =====================
RMSE             sqrt(<(mu - theta)^2>)                               coordinate, 0
normalized_RMSE  RMSE / (maximum - minimum) of the latin hypercube    0
relative_error   sqrt(<((mu - theta) / theta)^2>), the benchmark's    0
epsilon          <abs(mu - theta) / theta>, later CAMELS papers'      0
R2               1 - sum (theta - mu)^2 / sum (theta - <theta>)^2     1
chi2             <((theta - mu) / sigma)^2>                           1
bayesian_error   <sigma>                                              coordinate
precision        <sigma / mu>
bias             <mu - theta>                                         coordinate, 0
coverage_68      share of maps with abs(theta - mu) < sigma           0.683
coverage_95      share of maps with abs(theta - mu) < 2 sigma         0.954
================ ==================================================== =====================

A coordinate is the value of a parameter or, for parameters that are learned in the logarithm, the
logarithm to base 10 of its value. relative_error, epsilon and precision of those are relative to
the value itself, of which 10^mu is the median.

`score_results` adds ``log_prob``: the information of a map about all inferred parameters together
[nats]; see `multifield.evaluation.information`.

Papers confuse relative_error and epsilon, so both are here. JSON has no NaN, so an undefined metric
of a parameter is left out. R2 is undefined where the truth does not vary (CV), relative_error and
epsilon where the truth is zero (EX without feedback), and precision where a mean is zero.

References
----------
Villaescusa-Navarro et al. 2021, arXiv:2109.10360, for the metrics of the benchmark.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from multifield import camels
from multifield.evaluation.information import measure_information
from multifield.evaluation.results import Results, Table, check_tables

Metrics = dict[str, dict[str, float]]
"""Metric -> parameter -> value, as in metrics.json."""
_Column = Float64[np.ndarray, " M"]
Value = np.float64 | np.ndarray
"""One number, or one number per resample."""


@dataclass(frozen=True, eq=False)
class Marginal:
    """Truth, mean and standard deviation of one parameter over the maps.

    Formulas reduce over maps with `total`, `mean` and `spread` only, so that a subclass can give
    one value per resample (`intervals`).

    Attributes
    ----------
    parameter : camels.Parameter
        The parameter.
    theta, mu, sigma : (M,) float64
        Coordinate of the truth, posterior mean and posterior standard deviation.
    """

    parameter: camels.Parameter
    theta: _Column
    mu: _Column
    sigma: _Column

    @property
    def relative(self) -> np.ndarray | None:
        """Error relative to the value. None if a true value is zero."""
        if self.parameter.scale == "log":
            return np.asarray(10.0**self.error - 1.0)
        return None if (self.theta == 0).any() else np.asarray(self.error / self.theta)

    @property
    def relative_sigma(self) -> np.ndarray | None:
        """Standard deviation relative to the value. None if a mean is zero."""
        if self.parameter.scale == "log":
            return np.asarray(np.log(10.0) * self.sigma)
        return None if (self.mu == 0).any() else np.asarray(self.sigma / self.mu)

    @property
    def error(self) -> _Column:
        """Posterior mean minus truth."""
        error: _Column = self.mu - self.theta
        return error

    def total(self, values: np.ndarray) -> Value:
        """Sum over the maps."""
        return np.float64(np.sum(values))

    def count(self) -> Value:
        """Count the maps."""
        return np.float64(len(self.theta))

    def mean(self, values: np.ndarray) -> Value:
        """Average over the maps."""
        return self.total(values) / self.count()

    def spread(self) -> Value:
        """Sum of squared deviations of the truth from its mean."""
        return self.total((self.theta - self.theta.mean()) ** 2)


# ---- one formula per metric; None where it is undefined ----


def _is_constant(values: _Column) -> bool:
    # the variance may be nonzero: the rounded mean of equal numbers can differ from them
    return bool(np.ptp(values) == 0)


FORMULAS: dict[str, Callable[[Marginal], Value | None]] = {
    "RMSE": lambda m: np.sqrt(m.mean(m.error**2)),
    "normalized_RMSE": lambda m: (
        np.sqrt(m.mean(m.error**2)) / (m.parameter.maximum - m.parameter.minimum)
    ),
    "relative_error": lambda m: None if m.relative is None else np.sqrt(m.mean(m.relative**2)),
    "epsilon": lambda m: None if m.relative is None else m.mean(np.abs(m.relative)),
    "R2": lambda m: None if _is_constant(m.theta) else 1 - m.total(m.error**2) / m.spread(),
    "chi2": lambda m: m.mean((m.error / m.sigma) ** 2),
    "bayesian_error": lambda m: m.mean(m.sigma),
    "precision": lambda m: None if m.relative_sigma is None else m.mean(m.relative_sigma),
    "bias": lambda m: m.mean(m.error),
    "coverage_68": lambda m: m.mean(np.abs(m.error) < m.sigma),
    "coverage_95": lambda m: m.mean(np.abs(m.error) < 2 * m.sigma),
}
METRICS = tuple(FORMULAS)
"""Names of the metrics of one parameter; the formulas are at the top of this module."""
LOG_PROB = "log_prob"
"""Name of the metric of all parameters together, whose names are joined with +."""


# ---- all of them ----


def score(
    theta: Table,
    mean: Table,
    std: Table,
    parameters: Sequence[str] | None = None,
    space: camels.ParameterSpace = camels.CMD,
) -> Metrics:
    """Score inferred parameters with the formulas at the top of this module.

    Parameters
    ----------
    theta, mean, std : (M, P) float
        Coordinates of the truth, posterior mean and posterior standard deviation. One row per map.
    parameters : sequence of str, optional
        Parameters to score, by default all. Other columns are ignored. Across suites score
        `camels.COSMOLOGY` only: the astrophysical parameters mean different things in each suite.
    space : ParameterSpace, optional
        Parameters of the columns. By default CMD's six.

    Returns
    -------
    metrics : dict of dict of float
        Metric -> parameter -> value, for the metrics of `METRICS`. Undefined values are left out.

    Raises
    ------
    ValueError
        If the shapes disagree, there is no row, or a name is unknown. Also if a scored column
        contains a value that is not finite or a standard deviation that is not positive.
    """
    check_tables(theta, mean, std, space)
    columns = space.columns(space.names if parameters is None else parameters)
    marginals = [
        make_marginal(space[column], theta[:, column], mean[:, column], std[:, column])
        for column in columns
    ]
    return {name: _score_each(metric, marginals) for name, metric in FORMULAS.items()}


def score_results(results: Results, parameters: Sequence[str] | None = None) -> Metrics:
    """Score results on the inferred parameters, or on some of them.

    Parameters
    ----------
    results : Results
        Truth and posteriors of the maps.
    parameters : sequence of str, optional
        Parameters to score. The default is all inferred parameters.

    Returns
    -------
    metrics : dict of dict of float
        Metric -> parameter -> value: ``log_prob`` of all these parameters together, then the
        metrics of each from `score`.
    """
    asked = results.inferred if parameters is None else parameters
    marginals = score(results.theta, results.mean, results.std, asked, results.space)
    information = float(measure_information(results, asked).mean())
    return {LOG_PROB: {"+".join(asked): information}, **marginals}


def check_finite(metrics: Metrics) -> None:
    """Require metrics that JSON can represent.

    Parameters
    ----------
    metrics : dict of dict of float
        Metric -> parameter -> value, as returned by `score`.

    Raises
    ------
    ValueError
        If a value is NaN or infinite. The message names the first metric and parameter.
    """
    for metric, values in metrics.items():
        for name, value in values.items():
            if not np.isfinite(value):
                raise ValueError(f"{metric} of {name}: Expected a finite number, got {value}.")


def make_marginal(parameter: camels.Parameter, theta: Table, mean: Table, std: Table) -> Marginal:
    """Check one column of the tables and convert it to float64.

    Parameters
    ----------
    parameter : Parameter
        Parameter of the column.
    theta, mean, std : (M,) float
        Coordinate of the truth, posterior mean and posterior standard deviation.

    Returns
    -------
    marginal : Marginal
        The column as float64.

    Raises
    ------
    ValueError
        If a value is not finite or a standard deviation not positive. The message names the
        parameter and the row.
    """
    for label, values in {"theta": theta, "mean": mean, "std": std}.items():
        _require(np.isfinite(values), "finite", values, f"{label} of {parameter.name}")
    _require(std > 0, "> 0", std, f"std of {parameter.name}")
    # float64, so that averages are accurate
    theta, mean, std = (np.asarray(values, dtype=np.float64) for values in (theta, mean, std))
    return Marginal(parameter, theta, mean, std)


def _require(holds: np.ndarray, rule: str, values: Table, label: str) -> None:
    if not holds.all():
        row = int(np.argmin(holds))
        raise ValueError(f"{label}: Expected {rule}, got {values[row]} in row {row}.")


def _score_each(
    metric: Callable[[Marginal], Value | None], marginals: list[Marginal]
) -> dict[str, float]:
    values = {marginal.parameter.name: metric(marginal) for marginal in marginals}
    return {name: float(value) for name, value in values.items() if value is not None}


# ---- several networks on the same test maps ----

COMPARED = ("RMSE", "relative_error", "epsilon", "R2", "chi2")


def compare_trials(
    results: Mapping[int, Results], valid_losses: Mapping[int, float]
) -> list[dict[str, float | int | None]]:
    """Make a table of trials, one row per trial, in the order given.

    Parameters
    ----------
    results : mapping of int to Results
        Trial -> posteriors by its network, best trial first.
    valid_losses : mapping of int to float
        Trial -> its lowest validation loss.

    Returns
    -------
    rows : list of dict
        ``rank``, ``trial``, ``valid_loss`` and ``<metric>_<parameter>`` for the metrics of
        `COMPARED`. None where a metric is undefined.
    """
    rows = []
    for rank, (trial, trial_results) in enumerate(results.items(), start=1):
        metrics = score_results(trial_results)
        scores = {
            f"{metric}_{name}": metrics[metric].get(name)
            for metric in COMPARED
            for name in trial_results.inferred
        }
        rows.append({"rank": rank, "trial": trial, "valid_loss": valid_losses[trial], **scores})
    return rows
