"""Calibration of posteriors that are known by draws.

====== ==================================================
letter meaning
====== ==================================================
M      rows: maps
n      draws per row
P      parameters
====== ==================================================
"""

import numpy as np
from jaxtyping import Float64

from multifield import camels
from multifield.config.evaluation import BootstrapConfig
from multifield.evaluation.bootstrap import Resamples, Simulation
from multifield.evaluation.calibration import Uniform, check_bias, check_spread, coverage_curve
from multifield.evaluation.joint import prior_ranges

Draws = Float64[np.ndarray, "M n P"]
Values = Float64[np.ndarray, "M P"]
Test = dict[str, str | float | None]
"""``parameter``, ``test``, ``statistic`` and ``p_value``, as in calibration_tests.csv."""


def rank_truth(draws: Draws, truth: Values, seed: int) -> Values:
    """Rank the truth among the draws of each parameter (SBC).

    Parameters
    ----------
    draws : (M, n, P) float64
        Draws of the posteriors.
    truth : (M, P) float64
        True parameters.
    seed : int
        Seed of the numbers that spread the ranks.

    Returns
    -------
    ranks : (M, P) float64
        (rank + u) / (n + 1), where u is uniform on [0, 1]: uniform for calibrated posteriors.
    """
    rng = np.random.default_rng([seed, 0])
    below = np.sum(draws < truth[:, None], axis=1)
    ranks: Values = (below + rng.random(below.shape)) / (draws.shape[1] + 1)
    return ranks


def rank_distances(
    draws: Draws,
    truth: Values,
    parameters: tuple[str, ...],
    seed: int,
    space: camels.ParameterSpace = camels.CMD,
) -> Uniform:
    """Rank the truth among the draws by distance to a random point (TARP).

    Parameters
    ----------
    draws : (M, n, P) float64
        Draws of the posteriors in physical units.
    truth : (M, P) float64
        True parameters.
    parameters : tuple of str
        Names of the P parameters.
    seed : int
        Seed of the points, which are uniform in the prior ranges.
    space : ParameterSpace, optional
        Parameters of the table. By default CMD's six.

    Returns
    -------
    ranks : (M,) float64
        Ranks as in `rank_truth`. Distances are Euclidean in units of the prior ranges.
    """
    rng = np.random.default_rng([seed, 1])
    low, width = prior_ranges(parameters, space)
    points = low + width * rng.random(truth.shape)
    distance = np.sum(((truth - points) / width) ** 2, axis=1)
    of_draws = np.sum(((draws - points[:, None]) / width) ** 2, axis=2)
    below = np.sum(of_draws < distance[:, None], axis=1)
    ranks: Uniform = (below + rng.random(len(below))) / (draws.shape[1] + 1)
    return ranks


def check_draws(
    draws: Draws,
    truth: Values,
    parameters: tuple[str, ...],
    simulation: Simulation,
    bootstrap: BootstrapConfig,
    seed: int,
    space: camels.ParameterSpace = camels.CMD,
) -> list[Test]:
    """Run the tests of `multifield.evaluation.check_calibration` on draws.

    Parameters
    ----------
    draws : (M, n, P) float64
        Draws of the posteriors in physical units.
    truth : (M, P) float64
        True parameters.
    parameters : tuple of str
        Names of the P parameters.
    simulation : (M,) int64
        Simulation number of each row.
    bootstrap : BootstrapConfig
        Number of resamples, seed and level of the bands.
    seed : int
        Seed of the ranks.
    space : ParameterSpace, optional
        Parameters of the table. By default CMD's six.

    Returns
    -------
    tests : list of dict
        ``bias``, ``spread``, ``coverage`` and ``SBC`` of each parameter, and ``TARP`` of all. The
        coverage is that of central intervals of the draws.
    """
    resamples = Resamples(simulation, bootstrap)
    pulls = (draws.mean(axis=1) - truth) / draws.std(axis=1)
    ranks = rank_truth(draws, truth, seed)
    tests: list[Test] = []

    def record(parameter: str, test: str, statistic: float, p_value: float | None) -> None:
        names = {"parameter": parameter, "test": test}
        tests.append({**names, "statistic": statistic, "p_value": p_value})

    for column, name in enumerate(parameters):
        record(name, "bias", *check_bias(pulls[:, column], resamples))
        record(name, "spread", *check_spread(pulls[:, column], resamples))
        uniform = {"coverage": np.abs(2 * ranks[:, column] - 1), "SBC": ranks[:, column]}
        for test, numbers in uniform.items():
            curve = coverage_curve(numbers, resamples)
            record(name, test, curve.statistic, curve.p_value)
    curve = coverage_curve(rank_distances(draws, truth, parameters, seed, space), resamples)
    record("+".join(parameters), "TARP", curve.statistic, curve.p_value)
    return tests
