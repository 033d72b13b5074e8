"""Calibration of posteriors: pulls, coverage, PIT, SBC ranks and TARP.

Each diagnostic but the pulls gives one number per row. For a calibrated posterior the number is
uniform on [0, 1], so that all diagnostics share one curve, one band and one test:

============ ============================================================ ========================
diagnostic   number of a row                                              detects
============ ============================================================ ========================
coverage     probability of the central interval with theta on its edge:  wrong widths
             erf(abs(z) / sqrt 2)
PIT          probability below theta: Phi(-z)                             wrong widths, bias,
                                                                          wrong shape
SBC          rank of theta among L draws of its marginal posterior        as PIT; for Gaussian
                                                                          marginals its sampled form
TARP         rank of theta among L draws of the joint posterior, by       wrong widths, posteriors
             distance to a random point                                   that leave the prior
============ ============================================================ ========================

The pull is z = (mu - theta) / sigma. ``bias`` tests its mean (0). ``spread`` tests its standard
deviation about that mean (1). Posteriors are Gaussians with the inferred means and standard
deviations. TARP treats the parameters as independent.

The rows of a simulation are not independent, so every test uses simulations as units. ``bias`` and
``spread`` are t-tests of the simulations' means. The uniform numbers are tested by the largest
distance of their cumulative distribution from the diagonal (Kolmogorov-Smirnov). Its null
distribution comes from resampling simulations. Measured on exact posteriors of 50 simulations: at a
p-value of 0.05 ``spread`` rejects 6 to 10% of them, the others 4 to 7%.

Calibration holds on average over the prior. A correct posterior passes on a latin hypercube, but
not necessarily on a set of one cosmology (CV).

References
----------
Gneiting, Balabdaoui & Raftery 2007, JRSS B 69, 243, for the PIT and coverage.
Talts et al. 2018, arXiv:1804.06788, for simulation-based calibration (SBC).
Lemos et al. 2023, arXiv:2302.03026, for TARP. It is implemented here from its definition: the
package ``tarp`` resamples rows, not simulations, and seeds NumPy's global generator.
"""

from dataclasses import dataclass as plain_dataclass

import numpy as np
from jaxtyping import Float64
from scipy import special, stats

from multifield import camels
from multifield.config.evaluation import BootstrapConfig, CalibrationConfig
from multifield.evaluation.bootstrap import Resamples, Simulation
from multifield.evaluation.results import Results, parameter_columns

Uniform = Float64[np.ndarray, " M"]
"""One number per row, uniform on [0, 1] if the posteriors are calibrated."""
N_LEVELS = 200  # of a curve, so that its largest distance is known to 1 / 200
_LEVELS = np.linspace(0, 1, N_LEVELS + 1)


@plain_dataclass(frozen=True, eq=False)
class CoverageCurve:
    """Cumulative distribution of numbers that should be uniform, and its test.

    Attributes
    ----------
    nominal, empirical : (G,) float64
        Levels, and the share of rows at or below each level.
    low, high : (G,) float64
        Pointwise bootstrap band of `empirical`. It is NaN with a single simulation.
    statistic : float
        Largest distance between `nominal` and `empirical`.
    p_value : float or None
        Share of resamples with at least that distance from the curve of all rows. It is None with a
        single simulation.
    """

    nominal: Float64[np.ndarray, " G"]
    empirical: Float64[np.ndarray, " G"]
    low: Float64[np.ndarray, " G"]
    high: Float64[np.ndarray, " G"]
    statistic: float
    p_value: float | None


# ---- numbers that should be normal or uniform ----


def pulls(results: Results, name: str) -> Float64[np.ndarray, " M"]:
    """Compute the pulls of one parameter.

    Pulls of calibrated posteriors are standard normal.

    Parameters
    ----------
    results : Results
        Posteriors of the maps.
    name : str
        Name of the parameter.

    Returns
    -------
    pulls : (M,) float64
        (mean - truth) / std of each row.
    """
    theta, mean, std = results.of(name)
    z: np.ndarray = (mean - theta) / std
    return z


def central_levels(results: Results, name: str) -> Uniform:
    """Compute the probability of the central interval with the truth on its edge.

    Parameters
    ----------
    results : Results
        Posteriors of the maps.
    name : str
        Name of the parameter.

    Returns
    -------
    levels : (M,) float64
        Probability of each row.
    """
    levels: np.ndarray = special.erf(np.abs(pulls(results, name)) / np.sqrt(2))
    return levels


def probability_integral_transform(results: Results, name: str) -> Uniform:
    """Compute the posterior probability below the truth (PIT).

    Parameters
    ----------
    results : Results
        Posteriors of the maps.
    name : str
        Name of the parameter.

    Returns
    -------
    pit : (M,) float64
        Probability of each row.
    """
    pit: np.ndarray = special.ndtr(-pulls(results, name))
    return pit


def sbc_ranks(results: Results, name: str, config: CalibrationConfig) -> Uniform:
    """Rank the truth among draws of its marginal posterior.

    The rank among L draws of a Gaussian is binomial with the PIT as its probability, so no draws
    are needed.

    Parameters
    ----------
    results : Results
        Posteriors of the maps.
    name : str
        Name of the parameter.
    config : CalibrationConfig
        Number of draws L and seed.

    Returns
    -------
    ranks : (M,) float64
        (rank + u) / (L + 1), where the rank is from 0 to L and u is uniform on [0, 1].
    """
    rng = np.random.default_rng([config.seed, 0, camels.PARAMETER_NAMES.index(name)])
    rank = rng.binomial(config.n_draws, probability_integral_transform(results, name))
    return _spread_ranks(rank, config.n_draws, rng)


def tarp_ranks(results: Results, config: CalibrationConfig) -> Uniform:
    """Rank the truth among draws of the joint posterior by distance to a random point.

    The points are uniform in the latin hypercube and independent of the data. Distances are
    Euclidean in [0, 1] units. The expected coverage of TARP at credibility a is the share of ranks
    up to a.

    Parameters
    ----------
    results : Results
        Posteriors of the maps.
    config : CalibrationConfig
        Number of draws L and seed.

    Returns
    -------
    ranks : (M,) float64
        Scaled ranks (rank + u) / (L + 1), as in `sbc_ranks`.

    Notes
    -----
    With such points TARP detects a bias in second order only, since they surround the truth. It
    reacts to the edges of the prior, which a Gaussian posterior ignores.
    """
    rng = np.random.default_rng([config.seed, 1])
    columns = list(parameter_columns(results.inferred))
    theta, mean = (camels.scale_theta(t)[:, columns] for t in (results.theta, results.mean))
    std = (results.std / camels.unscale_theta_std(np.ones((1, 6))))[:, columns]
    points = rng.random(mean.shape)
    distance = np.sum((theta - points) ** 2, axis=1)
    rank = np.zeros(len(mean), np.int64)
    for _ in range(config.n_draws):  # one by one: all draws together do not fit in memory
        draw = mean + std * rng.standard_normal(mean.shape)
        rank += np.sum((draw - points) ** 2, axis=1) < distance
    return _spread_ranks(rank, config.n_draws, rng)


def _spread_ranks(rank: np.ndarray, n_draws: int, rng: np.random.Generator) -> Uniform:
    ranks: np.ndarray = (rank + rng.random(len(rank))) / (n_draws + 1)
    return ranks


# ---- tests ----


def coverage_curve(uniform: Uniform, resamples: Resamples) -> CoverageCurve:
    """Compare numbers with the uniform distribution, with simulations as units.

    The null distribution of the test is that of the largest distance between the curve of a
    resample and the curve of all rows.

    Parameters
    ----------
    uniform : (M,) float64
        One number per row, such as the PIT.
    resamples : Resamples
        Simulation number of each row, and the resamples.

    Returns
    -------
    curve : CoverageCurve
        Curve, band, statistic and p-value.
    """
    below = np.searchsorted(_LEVELS, uniform, side="left")  # first level at or above the number
    flat = resamples.simulation * len(_LEVELS) + np.minimum(below, N_LEVELS)
    size = resamples.n_simulations * len(_LEVELS)
    per_simulation = np.bincount(flat, minlength=size).reshape(-1, len(_LEVELS)).cumsum(axis=1)
    empirical = per_simulation.sum(axis=0) / len(uniform)
    statistic = float(np.abs(empirical - _LEVELS).max())
    if resamples.n_simulations == 1:
        unknown = np.full_like(empirical, np.nan)
        return CoverageCurve(_LEVELS, empirical, unknown, unknown, statistic, None)
    curves = (resamples.counts.astype(np.float64) @ per_simulation) / resamples.sizes()[:, None]
    tail = (1 - resamples.config.level) / 2
    low, high = np.quantile(curves, [tail, 1 - tail], axis=0)
    distances = np.abs(curves - empirical).max(axis=1)
    p_value = (1 + np.count_nonzero(distances >= statistic)) / (1 + len(distances))
    return CoverageCurve(_LEVELS, empirical, low, high, statistic, float(p_value))


def check_bias(z: Float64[np.ndarray, " M"], resamples: Resamples) -> tuple[float, float | None]:
    """Test whether the mean pull is 0, by a t-test over simulations.

    Parameters
    ----------
    z : (M,) float64
        Pulls.
    resamples : Resamples
        Simulation number of each row.

    Returns
    -------
    statistic : float
        Mean pull.
    p_value : float or None
        Two-sided p-value. It is None with a single simulation.
    """
    means = resamples.per_simulation(z) / resamples.per_simulation(np.ones(len(z)))
    return float(z.mean()), _t_test(means.mean(), means)


def check_spread(z: Float64[np.ndarray, " M"], resamples: Resamples) -> tuple[float, float | None]:
    """Test whether the standard deviation of the pulls about their mean is 1.

    The t-test is of the logarithm of the variance, which is less skewed than the variance.

    Parameters
    ----------
    z : (M,) float64
        Pulls.
    resamples : Resamples
        Simulation number of each row.

    Returns
    -------
    statistic : float
        Standard deviation of the pulls.
    p_value : float or None
        Two-sided p-value. It is None with a single simulation.
    """
    sizes = resamples.per_simulation(np.ones(len(z)))
    means = resamples.per_simulation(z) / sizes
    squares = resamples.per_simulation((z - means.mean()) ** 2) / sizes
    # add the variance of the mean, which is estimated from the same simulations
    variance = squares.mean() + (means.var(ddof=1) / len(means) if len(means) > 1 else 0.0)
    return float(np.sqrt(variance)), _t_test(np.log(variance), squares / variance)


def _t_test(mean: float, values: Float64[np.ndarray, " S"]) -> float | None:
    """Give the two-sided p-value of the mean of simulations' values against 0."""
    if len(values) == 1:
        return None
    error = values.std(ddof=1) / np.sqrt(len(values))
    return float(2 * stats.t.sf(abs(mean) / error, len(values) - 1)) if error else float(mean == 0)


def check_calibration(
    results: Results,
    simulation: Simulation,
    bootstrap: BootstrapConfig,
    config: CalibrationConfig,
) -> list[dict[str, str | float | None]]:
    """Run every test on every inferred parameter, and TARP on all parameters together.

    Parameters
    ----------
    results : Results
        Posteriors of the test maps.
    simulation : (M,) int64
        Simulation number of each row; see `bootstrap.simulation_of_rows`.
    bootstrap : BootstrapConfig
        Number of resamples, seed and level of the bands.
    config : CalibrationConfig
        Number of posterior draws and seed.

    Returns
    -------
    tests : list of dict
        ``parameter`` (names joined with + for TARP), ``test``, ``statistic`` and ``p_value``. The
        statistic is the mean pull, the standard deviation of the pulls, or the largest distance of
        a curve from the diagonal. The p-value is None with a single simulation.
    """
    resamples = Resamples(simulation, bootstrap)
    records: list[dict[str, str | float | None]] = []

    def record(parameter: str, test: str, statistic: float, p_value: float | None) -> None:
        names = {"parameter": parameter, "test": test}
        records.append({**names, "statistic": statistic, "p_value": p_value})

    for name in results.inferred:
        z = pulls(results, name)
        record(name, "bias", *check_bias(z, resamples))
        record(name, "spread", *check_spread(z, resamples))
        for test, numbers in _uniform_numbers(results, name, config).items():
            curve = coverage_curve(numbers, resamples)
            record(name, test, curve.statistic, curve.p_value)
    curve = coverage_curve(tarp_ranks(results, config), resamples)
    record("+".join(results.inferred), "TARP", curve.statistic, curve.p_value)
    return records


def _uniform_numbers(results: Results, name: str, config: CalibrationConfig) -> dict[str, Uniform]:
    return {
        "coverage": central_levels(results, name),
        "PIT": probability_integral_transform(results, name),
        "SBC": sbc_ranks(results, name, config),
    }


def compare_calibration(
    before: Results,
    after: Results,
    simulation: Simulation,
    bootstrap: BootstrapConfig,
    config: CalibrationConfig,
) -> list[dict[str, str | float | None]]:
    """Run every test on results as inferred and recalibrated; see `check_calibration`.

    The tests take the recalibration factors as exact. Their uncertainty makes calibrated posteriors
    fail more often than the p-value says. `estimate_recalibrated_intervals` includes it.

    Parameters
    ----------
    before, after : Results
        Posteriors as inferred, and recalibrated.
    simulation : (M,) int64
        Simulation number of each row.
    bootstrap : BootstrapConfig
        Number of resamples, seed and level of the bands.
    config : CalibrationConfig
        Number of posterior draws and seed.

    Returns
    -------
    tests : list of dict
        As `check_calibration`, with ``sigma`` first: ``inferred`` or ``recalibrated``.
    """
    both = {"inferred": before, "recalibrated": after}
    return [
        {"sigma": sigma, **record}
        for sigma, results in both.items()
        for record in check_calibration(results, simulation, bootstrap, config)
    ]
