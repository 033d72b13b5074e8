"""Whether posteriors are as wide as their errors: pulls, coverage, PIT, SBC ranks and TARP.

Each diagnostic but the pulls gives one number a row that is uniform on [0, 1] if the posteriors are
right, so all share one curve, one band and one test:

============ ============================================================ ========================
diagnostic   number of a row                                              finds
============ ============================================================ ========================
coverage     probability inside the central interval that just holds      widths
             theta: erf(abs(z) / sqrt 2)
PIT          probability below theta: Phi(-z)                             widths, bias, shape
SBC          rank of theta among L draws of its marginal posterior        as PIT; for Gaussian
                                                                          marginals its sampled form
TARP         rank of theta among L draws of the joint posterior, by       widths, posteriors that
             distance to a random point                                   leave the prior
============ ============================================================ ========================

with the pull z = (mu - theta) / sigma, of which ``bias`` tests the mean (0) and ``spread`` the standard
deviation about that mean (1). Posteriors are Gaussian with the standard deviations inferred; TARP takes
the parameters as independent, which is what a mean and a standard deviation each say.

The rows of a simulation are not independent, so simulations are the units of every test: ``bias`` and
``spread`` are t-tests of simulations' means, the uniform numbers are tested by the largest distance of
their cumulative distribution from the diagonal (Kolmogorov-Smirnov), whose distribution comes from
resampling simulations. Measured on exact posteriors of 50 simulations: at a p-value of 0.05 ``spread``
rejects 6 to 10 % of them, the others 4 to 7 %.

All hold on average over the prior: a right posterior passes on a latin hypercube, and need not on a
set of one cosmology (CV).

References
----------
Gneiting, Balabdaoui & Raftery 2007, JRSS B 69, 243, for the PIT and coverage.
Talts et al. 2018, arXiv:1804.06788, for simulation-based calibration (SBC).
Lemos et al. 2023, arXiv:2302.03026, for TARP. Written here from its definition: the package ``tarp``
resamples rows, not simulations, and seeds NumPy's global generator.
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
"""A number a row, uniform on [0, 1] if the posteriors are right."""
N_LEVELS = 200  # of a curve; a distance between two of them is missed by at most 1 / 200
_LEVELS = np.linspace(0, 1, N_LEVELS + 1)


@plain_dataclass(frozen=True, eq=False)
class CoverageCurve:
    """Cumulative distribution of numbers that should be uniform, and its test.

    Attributes
    ----------
    nominal, empirical : (G,) float64
        Levels, and the share of rows at or below each.
    low, high : (G,) float64
        Band from resampling simulations, each level for itself; NaN if there is one simulation only.
    statistic : float
        Largest distance between `nominal` and `empirical`.
    p_value : float or None
        Share of resamples that move as far from all rows; None with one simulation.
    """

    nominal: Float64[np.ndarray, " G"]
    empirical: Float64[np.ndarray, " G"]
    low: Float64[np.ndarray, " G"]
    high: Float64[np.ndarray, " G"]
    statistic: float
    p_value: float | None


# ---- numbers that should be normal or uniform ----


def pulls(results: Results, name: str) -> Float64[np.ndarray, " M"]:
    """Give (mean - truth) / std of one parameter, a standard normal if the posteriors are right."""
    (column,) = parameter_columns((name,))
    error = results.mean[:, column] - results.theta[:, column]
    z: np.ndarray = error / results.std[:, column]
    return z


def central_levels(results: Results, name: str) -> Uniform:
    """Give the probability of the central interval that has the truth on its edge."""
    levels: np.ndarray = special.erf(np.abs(pulls(results, name)) / np.sqrt(2))
    return levels


def probability_integral_transform(results: Results, name: str) -> Uniform:
    """Give the posterior probability below the truth (PIT)."""
    pit: np.ndarray = special.ndtr(-pulls(results, name))
    return pit


def sbc_ranks(results: Results, name: str, config: CalibrationConfig) -> Uniform:
    """Rank the truth among draws of its marginal posterior.

    The rank among L draws of a Gaussian is binomial with the PIT for its probability, so the draws
    themselves need not be made.

    Returns
    -------
    ranks : (M,) float64
        (rank + u) / (L + 1) with u uniform on [0, 1], which is uniform where the rank is so on 0 to L.
    """
    rng = np.random.default_rng([config.seed, 0, camels.PARAMETER_NAMES.index(name)])
    rank = rng.binomial(config.n_draws, probability_integral_transform(results, name))
    return _spread_ranks(rank, config.n_draws, rng)


def tarp_ranks(results: Results, config: CalibrationConfig) -> Uniform:
    """Rank the truth among draws of the joint posterior by distance to a random point.

    The points are uniform in the latin hypercube and independent of the data, distances Euclidean in
    [0, 1] units. The expected coverage of TARP at credibility a is the share of ranks up to a.

    Returns
    -------
    ranks : (M,) float64
        As `sbc_ranks`.

    Notes
    -----
    With such points TARP sees a bias in second order only, as they lie on either side of the truth. It is
    sensitive to the edges of the prior, which a Gaussian posterior does not know.
    """
    rng = np.random.default_rng([config.seed, 1])
    columns = list(parameter_columns(results.inferred))
    theta, mean = (camels.scale_theta(t)[:, columns] for t in (results.theta, results.mean))
    std = (results.std / camels.unscale_theta_std(np.ones((1, 6))))[:, columns]
    points = rng.random(mean.shape)
    distance = np.sum((theta - points) ** 2, axis=1)
    rank = np.zeros(len(mean), np.int64)
    for _ in range(config.n_draws):  # one after the other: all at once do not fit memory
        draw = mean + std * rng.standard_normal(mean.shape)
        rank += np.sum((draw - points) ** 2, axis=1) < distance
    return _spread_ranks(rank, config.n_draws, rng)


def _spread_ranks(rank: np.ndarray, n_draws: int, rng: np.random.Generator) -> Uniform:
    ranks: np.ndarray = (rank + rng.random(len(rank))) / (n_draws + 1)
    return ranks


# ---- tests ----


def coverage_curve(uniform: Uniform, resamples: Resamples) -> CoverageCurve:
    """Compare numbers with the uniform distribution, by simulations.

    The test's null distribution is that of the largest distance between a resample's curve and the
    curve of all rows.
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
    """Test whether the mean pull is 0; returns it and the p-value of a t-test over simulations."""
    means = resamples.per_simulation(z) / resamples.per_simulation(np.ones(len(z)))
    return float(z.mean()), _t_test(means.mean(), means)


def check_spread(z: Float64[np.ndarray, " M"], resamples: Resamples) -> tuple[float, float | None]:
    """Test whether the standard deviation of the pulls about their mean is 1.

    The t-test is of the logarithm of the variance, which is less skewed than the variance.
    """
    sizes = resamples.per_simulation(np.ones(len(z)))
    means = resamples.per_simulation(z) / sizes
    squares = resamples.per_simulation((z - means.mean()) ** 2) / sizes
    # the mean comes from the same simulations and is as far from the true one as its own error
    variance = squares.mean() + (means.var(ddof=1) / len(means) if len(means) > 1 else 0.0)
    return float(np.sqrt(variance)), _t_test(np.log(variance), squares / variance)


def _t_test(mean: float, values: Float64[np.ndarray, " S"]) -> float | None:
    """Give the two-sided p-value of a mean of simulations' values that should be 0."""
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
    """Run every test on every parameter inferred, and TARP on all together.

    Parameters
    ----------
    results : Results
        Of test maps.
    simulation : (M,) int64
        Which simulation each row is of; see `bootstrap.simulation_of_rows`.
    bootstrap : BootstrapConfig
    config : CalibrationConfig

    Returns
    -------
    tests : list of dict
        ``parameter`` (names joined with + for TARP), ``test``, ``statistic`` (mean pull, standard deviation
        of pulls, or largest distance of a curve from the diagonal) and ``p_value``: None if there is one
        simulation only.
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

    The tests take the factors of the recalibration as known, though they are so only as well as the
    validation set allows: right posteriors fail after it more often than p says, for the error of the
    factor. Intervals with that error are `estimate_recalibrated_intervals`'.
    """
    both = {"inferred": before, "recalibrated": after}
    return [
        {"sigma": sigma, **record}
        for sigma, results in both.items()
        for record in check_calibration(results, simulation, bootstrap, config)
    ]
