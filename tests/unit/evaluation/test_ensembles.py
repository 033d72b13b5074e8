import numpy as np
import pytest

from multifield import camels
from multifield.evaluation import (
    Results,
    average_networks,
    combine_maps,
    estimate_correlations,
    score_results,
)

ROUNDING = 1e-12  # relative; float64 sums of 15 terms
N_SIMULATIONS = 2000
SIMULATION = np.repeat(np.arange(N_SIMULATIONS), 15)


def siblings(rho, n_simulations=N_SIMULATIONS, seed=0):
    """Calibrated maps with different std and a known correlation of errors."""
    rng = np.random.default_rng(seed)
    of = np.repeat(np.arange(n_simulations), 15)
    theta = camels.unscale_theta(rng.random((n_simulations, 6)))[of]
    std = rng.uniform(0.02, 0.06, theta.shape)
    shared, own = rng.normal(size=(n_simulations, 6))[of], rng.normal(size=theta.shape)
    mean = theta + std * (np.sqrt(rho) * shared + np.sqrt(1 - rho) * own)
    return Results(theta, mean, std)


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.9])
def test_a_known_correlation_is_found(rho):
    found = estimate_correlations(siblings(rho), SIMULATION)
    # five standard errors; a shared error squared varies by sqrt(2), a simulation's pairs by less
    error = 5 * np.sqrt(2 / N_SIMULATIONS) * max(rho, 1 / 15)
    assert found == pytest.approx(dict.fromkeys(camels.PARAMETER_NAMES, rho), abs=error)


def test_a_bias_of_all_maps_is_a_shared_error():
    results = siblings(0.0)
    biased = Results(results.theta, results.mean + 10 * results.std, results.std)
    assert min(estimate_correlations(biased, SIMULATION).values()) > 0.98  # 100 of 101 variances


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.9])
def test_combined_errors_are_calibrated(rho):
    valid, test = siblings(rho, seed=1), siblings(rho, seed=2)
    combined = combine_maps(test, SIMULATION, estimate_correlations(valid, SIMULATION))
    assert len(combined) == N_SIMULATIONS
    chi2 = score_results(combined)["chi2"]
    # six standard errors of a chi2 of 2,000 simulations, and as much for rho
    error = 6 * np.sqrt(2 * 2 / N_SIMULATIONS)
    assert chi2 == pytest.approx(dict.fromkeys(chi2, 1.0), abs=error)


def test_independent_errors_would_be_overconfident():
    independent = dict.fromkeys(camels.PARAMETER_NAMES, 0.0)
    combined = combine_maps(siblings(0.3), SIMULATION, independent)
    # equal sigmas would give 1 + 14 rho = 5.2
    assert min(score_results(combined)["chi2"].values()) > 4


def test_two_maps_by_hand():
    theta = np.zeros((2, 6))
    mean, std = np.outer([1.0, 4.0], np.ones(6)), np.outer([1.0, 2.0], np.ones(6))
    rho = dict.fromkeys(camels.PARAMETER_NAMES, 0.5)
    combined = combine_maps(Results(theta, mean, std), np.array([0, 0]), rho)
    # weights 4/5 and 1/5; variance .64 + .04 * 4 + 2 * .8 * .2 * (0.5 * 2)
    np.testing.assert_allclose(combined.mean, 0.8 * 1 + 0.2 * 4, rtol=ROUNDING)
    np.testing.assert_allclose(combined.std, np.sqrt(0.64 + 0.16 + 0.32), rtol=ROUNDING)


def test_independent_maps_are_a_product_of_gaussians():
    results = siblings(0.0, n_simulations=3)
    independent = dict.fromkeys(camels.PARAMETER_NAMES, 0.0)
    combined = combine_maps(results, np.repeat(np.arange(3), 15), independent)
    precision = np.sum(results.std.reshape(3, 15, 6) ** -2, axis=1)
    np.testing.assert_allclose(combined.std, precision**-0.5, rtol=ROUNDING)


@pytest.mark.parametrize("rho", [{}, -0.2, 1.1, float("nan")])
def test_an_impossible_correlation_is_refused(rho):
    correlations = rho if isinstance(rho, dict) else dict.fromkeys(camels.PARAMETER_NAMES, rho)
    with pytest.raises(ValueError, match=r"Expected -1/14 to 1 for Omega_m"):
        combine_maps(siblings(0.0, n_simulations=1), np.zeros(15, np.int64), correlations)


def test_simulations_of_other_sizes_are_refused():
    with pytest.raises(ValueError, match=r"same number of maps per simulation.* got 5 to 10"):
        estimate_correlations(siblings(0.0, n_simulations=1), np.repeat([0, 1], [5, 10]))


def test_an_index_that_mixes_truths_is_refused():
    mixed = np.tile([0, 1], 15)
    with pytest.raises(ValueError, match="Expected one truth per simulation"):
        combine_maps(
            siblings(0.0, n_simulations=2), mixed, dict.fromkeys(camels.PARAMETER_NAMES, 0.0)
        )


# ---- ensembles ----


def test_a_mixture_of_two_networks_by_hand():
    theta, ones = np.zeros((3, 6)), np.ones((3, 6))
    pair = [Results(theta, ones, 3 * ones), Results(theta, 7 * ones, 5 * ones)]
    ensemble = average_networks(pair)
    np.testing.assert_allclose(ensemble.mean, 4, rtol=ROUNDING)
    np.testing.assert_allclose(ensemble.std, np.sqrt((9 + 25) / 2 + 9), rtol=ROUNDING)


def test_one_network_is_itself(make_results):
    results = make_results(inferred=camels.COSMOLOGY)
    np.testing.assert_allclose(average_networks([results]).std, results.std, rtol=ROUNDING)


def test_networks_on_other_maps_are_refused(make_results):
    with pytest.raises(ValueError, match="got others for network 1"):
        average_networks([make_results(), make_results(seed=1)])


def test_no_network_is_refused():
    with pytest.raises(ValueError, match="at least one network"):
        average_networks([])
