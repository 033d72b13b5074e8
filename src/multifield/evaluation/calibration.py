"""Calibration of posteriors: pulls, coverage, PIT and SBC, and tests of joint posteriors.

Most diagnostics give one number per row. For a calibrated posterior the number is uniform on
[0, 1], so that they share one curve, one band and one test:

============ ============================================================ ========================
diagnostic   number of a row                                              detects
============ ============================================================ ========================
coverage     probability of the central interval with theta on its edge   wrong widths
PIT          probability below theta                                      wrong widths, bias,
                                                                          wrong shape
SBC          rank of theta among L draws of its marginal posterior        as PIT
TARP         rank of theta among L draws of the joint posterior, by       wrong widths, posteriors
             distance to a random point                                   that leave the prior
HPD          share of L draws of the joint posterior with a higher        wrong widths, bias,
             log-probability than theta                                   wrong correlations
projections  rank of w.theta among L draws, w a random direction          wrong widths
============ ============================================================ ========================

The first three are tests of one parameter, the others of all parameters together. The pull is
z = (mu - theta) / sigma. ``bias`` tests its mean (0), ``spread`` its standard deviation about that
mean (1). ``correlation`` tests that z_i z_j is on average the correlation of the posterior. Its
p-value is the smallest of all pairs, times the number of pairs.

The rows of a simulation are not independent, so every test uses simulations as units. ``bias``,
``spread`` and ``correlation`` are t-tests of the simulations' means. The uniform numbers are tested
by the largest distance of their cumulative distribution from the diagonal (Kolmogorov-Smirnov). Its
null distribution comes from resampling simulations. Measured on exact posteriors of 50 simulations:
at a p-value of 0.05 ``spread`` rejects 6 to 10% of them, the others 4 to 7%.

Share of sets of 200 simulations that are rejected at a p-value of 0.05 (4 maps per simulation, two
parameters; 100 exact and 50 wrong sets; `benchmarks/calibration.py`)::

    ======================== ==== ====== ======== ==== ==== =========== ==== ==== ===========
    posterior                bias spread coverage PIT  SBC  correlation TARP HPD  projections
    ======================== ==== ====== ======== ==== ==== =========== ==== ==== ===========
    exact                    0.04 0.07   0.04     0.04 0.04 0.07        0.03 0.03 0.03
    0.8 x widths             0.07 1.00   1.00     0.86 0.84 0.06        1.00 1.00 0.96
    1.25 x widths            0.07 1.00   1.00     0.82 0.80 0.10        0.98 1.00 1.00
    means off by 0.3 std     1.00 0.03   0.19     1.00 1.00 0.30        0.06 0.42 0.12
    correlation -0.5 for 0.5 0.07 0.07   0.04     0.05 0.07 1.00        0.02 1.00 0.04
    ======================== ==== ====== ======== ==== ==== =========== ==== ==== ===========

TARP and projections do not see a wrong correlation: they average over points and directions.

Calibration holds on average over the prior. A correct posterior passes on a latin hypercube, but
not necessarily on a set of one cosmology (CV).

References
----------
Gneiting, Balabdaoui & Raftery 2007, JRSS B 69, 243, for the PIT and coverage.
Talts et al. 2018, arXiv:1804.06788, for simulation-based calibration (SBC).
Lemos et al. 2023, arXiv:2302.03026, for TARP. It is implemented here from its definition: the
package ``tarp`` resamples rows, not simulations, and seeds NumPy's global generator.
Zhao et al. 2021, arXiv:2102.10473, and Hermans et al. 2021, arXiv:2110.06581, for highest-density
regions.
"""

from dataclasses import dataclass as plain_dataclass

import numpy as np
from jaxtyping import Float64, Int64
from scipy import stats

from multifield import camels
from multifield.config.evaluation import BootstrapConfig, CalibrationConfig
from multifield.evaluation.bootstrap import Resamples, Simulation
from multifield.evaluation.joint import CHUNK
from multifield.evaluation.results import Results

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


def probability_integral_transform(results: Results) -> Float64[np.ndarray, "M P"]:
    """Compute the posterior probability below the truth (PIT) of each parameter.

    Parameters
    ----------
    results : Results
        Posteriors of the maps.

    Returns
    -------
    pit : (M, P) float64
        Marginal probability of each row and inferred parameter.
    """
    return results.posterior.shares_below(results.truth)


def central_levels(pit: Uniform) -> Uniform:
    """Compute the probability of the central interval with the truth on its edge.

    Parameters
    ----------
    pit : (M,) float64
        Posterior probability below the truth.

    Returns
    -------
    levels : (M,) float64
        Probability of each row.
    """
    levels: np.ndarray = np.abs(2 * pit - 1)
    return levels


def sbc_ranks(
    pit: Uniform,
    name: str,
    config: CalibrationConfig,
    space: camels.ParameterSpace = camels.CMD,
) -> Uniform:
    """Rank the truth among draws of its marginal posterior.

    The rank among L draws is binomial with the PIT as its probability, so no draws are needed.

    Parameters
    ----------
    pit : (M,) float64
        Posterior probability below the truth.
    name : str
        Name of the parameter, which selects the random numbers.
    config : CalibrationConfig
        Number of draws L and seed.
    space : ParameterSpace, optional
        Parameters of the table. By default CMD's six.

    Returns
    -------
    ranks : (M,) float64
        (rank + u) / (L + 1), where the rank is from 0 to L and u is uniform on [0, 1].
    """
    rng = np.random.default_rng([config.seed, 0, space.index(name)])
    return _spread_ranks(rng.binomial(config.n_draws, pit), config.n_draws, rng)


@plain_dataclass(frozen=True, eq=False)
class JointNumbers:
    """What draws of the joint posterior of each row say about the truth.

    Attributes
    ----------
    ranks : dict of (M,) float64
        Scaled ranks (rank + u) / (L + 1) of TARP, HPD and projections, as in `sbc_ranks`.
    excess : (M, P, P) float64
        Products of pulls z_i z_j minus the correlations of the posterior.
    """

    ranks: dict[str, Uniform]
    excess: Float64[np.ndarray, "M P P"]


def compare_with_draws(results: Results, config: CalibrationConfig) -> JointNumbers:
    """Compare the truth with draws of the joint posterior.

    The random points of TARP are uniform in the latin hypercube and independent of the data.
    Distances are Euclidean in [0, 1] units, linear in what the network learns. The expected
    coverage of TARP at credibility a is the share of its ranks up to a. The random directions of
    the projections are uniform on the sphere in [0, 1] units. Each row has its own point and
    direction.

    Parameters
    ----------
    results : Results
        Posteriors of the maps.
    config : CalibrationConfig
        Number of draws L and seed.

    Returns
    -------
    numbers : JointNumbers
        Ranks and products of pulls of each row.

    Notes
    -----
    With such points TARP detects a bias in second order only, since they surround the truth. So do
    projections. TARP reacts to the edges of the prior, which a Gaussian posterior ignores.
    """
    rng = np.random.default_rng([config.seed, 1])
    n, posterior, truth = config.n_draws, results.posterior, results.truth
    space = results.space.only(results.inferred)
    points, directions = rng.random(truth.shape), rng.standard_normal(truth.shape)
    mean, std = (np.stack([results.of(name)[i] for name in results.inferred], 1) for i in (1, 2))
    pull = (mean - truth) / std
    rank = {test: np.empty(len(truth), np.int64) for test in JOINT_TESTS}
    excess = np.einsum("mi,mj->mij", pull, pull)
    step = max(1, CHUNK // (n * len(posterior.inferred)))
    for first in range(0, len(truth), step):  # all draws together do not fit in memory
        rows = slice(first, first + step)
        part = posterior.take(rows)
        draws = part.sample(n, int(rng.integers(2**63)))
        u, v = space.scale(truth[rows, None]), space.scale(draws)
        point, direction = points[rows, None], directions[rows, :, None]
        rank["TARP"][rows] = _count_below(
            np.sum((v - point) ** 2, axis=2), np.sum((u - point) ** 2, axis=2)
        )
        rank["projections"][rows] = _count_below((v @ direction)[..., 0], (u @ direction)[..., 0])
        copies = part.take(np.repeat(np.arange(len(draws)), n))
        density = copies.log_prob(draws.reshape(-1, draws.shape[2])).reshape(-1, n)
        rank["HPD"][rows] = _count_below(-density, -part.log_prob(truth[rows])[:, None])
        drawn = (mean[rows, None] - draws) / std[rows, None]
        excess[rows] -= np.einsum("mni,mnj->mij", drawn, drawn) / n
    return JointNumbers({test: _spread_ranks(rank[test], n, rng) for test in rank}, excess)


JOINT_TESTS = ("TARP", "HPD", "projections")


def _count_below(
    draws: Float64[np.ndarray, "M n"], truth: Float64[np.ndarray, "M 1"]
) -> Int64[np.ndarray, " M"]:
    rank: np.ndarray = np.sum(draws < truth, axis=1)
    return rank


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


def check_correlation(
    excess: Float64[np.ndarray, "M P P"], resamples: Resamples
) -> tuple[float, float | None]:
    """Test whether pulls correlate as the posteriors say, by a t-test over simulations per pair.

    Parameters
    ----------
    excess : (M, P, P) float64
        Products of pulls minus correlations of the posteriors, for two or more parameters.
    resamples : Resamples
        Simulation number of each row.

    Returns
    -------
    statistic : float
        Mean of the products minus the correlations, for the pair with the smallest p-value.
    p_value : float or None
        Its two-sided p-value times the number of pairs (Bonferroni), at most 1. It is None with a
        single simulation.
    """
    sizes = resamples.per_simulation(np.ones(len(excess)))
    pairs = excess[:, *np.triu_indices(excess.shape[1], 1)].T
    means = [resamples.per_simulation(pair) / sizes for pair in pairs]
    p_values = [_t_test(each.mean(), each) for each in means]
    known = [p_value for p_value in p_values if p_value is not None]
    if not known:
        return float(max(pairs.mean(axis=1), key=abs)), None
    worst = int(np.argmin(known))
    return float(pairs[worst].mean()), min(1.0, len(known) * known[worst])


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
    """Run the tests of one parameter on each, and the joint tests on all parameters together.

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
        ``parameter`` (names joined with + for the joint tests), ``test``, ``statistic`` and
        ``p_value``. The statistic is the mean pull, the standard deviation of the pulls, an excess
        correlation, or the largest distance of a curve from the diagonal. The p-value is None with
        a single simulation. There is no test of the correlation of a single parameter.
    """
    resamples = Resamples(simulation, bootstrap)
    records: list[dict[str, str | float | None]] = []

    def record(parameter: str, test: str, statistic: float, p_value: float | None) -> None:
        names = {"parameter": parameter, "test": test}
        records.append({**names, "statistic": statistic, "p_value": p_value})

    def compare(parameter: str, test: str, numbers: Uniform) -> None:
        curve = coverage_curve(numbers, resamples)
        record(parameter, test, curve.statistic, curve.p_value)

    pit_of = probability_integral_transform(results)
    for name, pit in zip(results.inferred, pit_of.T, strict=True):
        z = pulls(results, name)
        record(name, "bias", *check_bias(z, resamples))
        record(name, "spread", *check_spread(z, resamples))
        compare(name, "coverage", central_levels(pit))
        compare(name, "PIT", pit)
        compare(name, "SBC", sbc_ranks(pit, name, config, results.space))
    names, numbers = "+".join(results.inferred), compare_with_draws(results, config)
    if len(results.inferred) > 1:
        record(names, "correlation", *check_correlation(numbers.excess, resamples))
    for test, ranks in numbers.ranks.items():
        compare(names, test, ranks)
    return records


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
