"""Rates at which the calibration tests reject exact and wrong posteriors.

    python -m benchmarks.calibration [number of sets]

Each set has 200 simulations of 4 maps and two parameters. The truth of a simulation is drawn from
a Gaussian. Each map has data with Gaussian noise of random covariance, correlated by 0.2 between
maps of a simulation. The posterior of a map is a Gaussian inside the prior. It is exact, or its
widths, means or correlation are changed. The table of `multifield.evaluation.calibration` is from
100 sets.
"""

import sys

import numpy as np
import torch

from benchmarks.measure import markdown_table, say
from multifield import camels
from multifield.config.evaluation import BootstrapConfig, CalibrationConfig
from multifield.evaluation import Results, check_calibration
from multifield.evaluation.joint import Component, JointPosterior
from multifield.evaluation.results import joint_results
from multifield.models.heads import AutoregressiveHead

N_MAPS = 4
PRIOR_STD, NOISE_STD = 0.06, 0.05  # in units of the prior range: the posteriors are inside it
SIBLINGS = 0.2  # correlation of the noise of two maps of a simulation
LEVEL = 0.05  # p-value
BOOTSTRAP = BootstrapConfig(n_resamples=300, level=0.95, seed=1)
DRAWS = CalibrationConfig(n_draws=100, seed=1)
CASES: dict[str, dict[str, float]] = {
    "exact": {},
    "0.8 x widths": {"width": 0.8},
    "1.25 x widths": {"width": 1.25},
    "bias 0.3 std": {"bias": 0.3},
    "correlation -0.5 for 0.5": {"correlation": 0.5, "stated": -0.5},
}


def make_posteriors(
    rng: np.random.Generator,
    n_simulations: int,
    *,
    width: float = 1.0,
    bias: float = 0.0,
    correlation: float | None = None,
    stated: float | None = None,
) -> Results:
    """Draw truth and data, and make posteriors of two parameters.

    Parameters
    ----------
    rng : numpy.random.Generator
        Random numbers.
    n_simulations : int
        Number of simulations.
    width : float, optional
        Factor of the exact widths.
    bias : float, optional
        Shift of the exact means [std].
    correlation : float, optional
        Correlation of the exact posteriors. The default is a random one for each map.
    stated : float, optional
        Correlation that the posteriors state instead.

    Returns
    -------
    results : Results
        Truth and posteriors, 4 rows per simulation.
    """
    of = np.repeat(np.arange(n_simulations), N_MAPS)
    n_rows = len(of)
    r = rng.uniform(-0.8, 0.8, n_rows) if correlation is None else np.full(n_rows, correlation)
    prior = PRIOR_STD**2 * _correlation_matrices(np.array([correlation or 0.0]))[0]
    std = NOISE_STD * rng.uniform(0.5, 1.5, (n_rows, 1, 1))
    noise = std**2 * _correlation_matrices(r)
    theta = (0.5 + rng.normal(size=(n_simulations, 2)) @ np.linalg.cholesky(prior).T)[of]
    shared = rng.normal(size=(n_simulations, 2))[of]
    unit = np.sqrt(SIBLINGS) * shared + np.sqrt(1 - SIBLINGS) * rng.normal(size=(n_rows, 2))
    data = theta + (np.linalg.cholesky(noise) @ unit[:, :, None])[..., 0]
    weight = np.linalg.inv(noise)
    covariance = np.linalg.inv(weight + np.linalg.inv(prior))
    mean = 0.5 + (covariance @ weight @ (data - 0.5)[:, :, None])[..., 0]
    sigma = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    rho = covariance[:, 0, 1] / sigma.prod(axis=1) if stated is None else np.full(n_rows, stated)
    mean, sigma = mean + bias * sigma, width * sigma
    conditional, slope = sigma[:, 1] * np.sqrt(1 - rho**2), rho * sigma[:, 1] / sigma[:, 0]
    outputs = np.column_stack([mean, sigma[:, 0], conditional, slope])
    component = Component(AutoregressiveHead(2), torch.from_numpy(outputs))
    whole = np.full((n_rows, 6), 0.5)
    whole[:, :2] = theta
    posterior = JointPosterior((component,), camels.COSMOLOGY)
    return joint_results(camels.unscale_theta(whole), posterior)


def _correlation_matrices(r: np.ndarray) -> np.ndarray:
    return np.eye(2) + r[:, None, None] * (1 - np.eye(2))


def measure_rates(n_sets: int, n_simulations: int = 200) -> dict[str, dict[str, float]]:
    """Measure how often each test rejects, by case and test."""
    simulation = np.repeat(np.arange(n_simulations), N_MAPS)
    rates: dict[str, dict[str, float]] = {}
    for case, changes in CASES.items():
        counts: dict[str, list[bool]] = {}
        for seed in range(n_sets):
            results = make_posteriors(np.random.default_rng(seed), n_simulations, **changes)
            for record in check_calibration(results, simulation, BOOTSTRAP, DRAWS):
                p_value = record["p_value"]
                assert isinstance(p_value, float)
                counts.setdefault(str(record["test"]), []).append(p_value < LEVEL)
        rates[case] = {test: float(np.mean(rejected)) for test, rejected in counts.items()}
    return rates


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    rates = measure_rates(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
    tests = list(rates["exact"])
    rows = [[case, *(f"{of[test]:.2f}" for test in tests)] for case, of in rates.items()]
    say(markdown_table(["posterior", *tests], rows))


if __name__ == "__main__":
    main()
