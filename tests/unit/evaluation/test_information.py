"""Information of maps in nats."""

import numpy as np
import pytest

from multifield import camels
from multifield.evaluation import Results
from multifield.evaluation.information import (
    Calibration,
    fit_calibrations,
    measure_information,
    prior_widths,
)

ONE = ("sigma_8",)
PRIOR = dict.fromkeys(camels.PARAMETER_NAMES, 0.1)


def results_of(errors: np.ndarray, stds: np.ndarray) -> Results:
    """Results of sigma_8 alone, true value 0.8."""
    theta = np.full((len(errors), 6), 0.8)
    mean, std = (np.full(theta.shape, np.nan) for _ in range(2))
    mean[:, 1], std[:, 1] = 0.8 + errors, stds
    return Results(theta, mean, std, ONE)


def negative_log_likelihood(results: Results, variance: np.ndarray | float) -> float:
    error2 = (results.mean[:, 1] - results.theta[:, 1]) ** 2
    return float(np.mean(np.log(variance) + error2 / variance))


def test_information_by_hand():
    results = results_of(np.array([0.0, 0.02]), np.array([0.01, 0.02]))
    found = measure_information(results, {"sigma_8": Calibration(1.0, 0.0)}, PRIOR)
    # log 10 + 1/2 for a map without error, log 5 for an error of one standard deviation
    np.testing.assert_allclose(found.nats[:, 0], [np.log(10) + 0.5, np.log(5)], rtol=1e-12)
    assert found.rmse_nats[0] == pytest.approx(np.log(0.1 / np.sqrt(0.02**2 / 2)), rel=1e-12)


def test_calibrated_errors_do_not_change(rng):
    std = rng.uniform(0.01, 0.05, 20_000)
    calibration = fit_calibrations(results_of(std * rng.normal(size=len(std)), std))["sigma_8"]
    # chi2 of 20,000 maps is 1 +- 0.01; the floor is measured where sigma is small
    assert calibration.scale == pytest.approx(1, abs=0.05)
    assert calibration.floor < 0.02 * np.mean(std**2)


def test_errors_that_are_twice_too_small_are_doubled(rng):
    std = rng.uniform(0.01, 0.05, 20_000)
    calibration = fit_calibrations(results_of(2 * std * rng.normal(size=len(std)), std))["sigma_8"]
    assert calibration.scale == pytest.approx(4, abs=0.2)


def test_uninformative_errors_become_the_rms(rng):
    errors = 0.03 * rng.normal(size=20_000)
    results = results_of(errors, rng.uniform(0.01, 0.05, len(errors)))
    calibrated = fit_calibrations(results)["sigma_8"].variance(results.std[:, 1])
    # the scale is zero up to the noise of 20,000 errors
    np.testing.assert_allclose(calibrated, 0.03**2, rtol=0.05)


def test_one_sigma_near_zero_does_not_widen_the_others(rng):
    """A factor that gives a chi2 of 1 would be 10^4."""
    std = np.full(2_000, 0.02)
    errors = std * rng.normal(size=len(std))
    errors[0], std[0] = 0.02, 1e-8
    results = results_of(errors, std)
    calibrated = fit_calibrations(results)["sigma_8"].variance(std)
    # 2,000 draws determine a variance to 3%
    np.testing.assert_allclose(calibrated, 0.02**2, rtol=0.1)


@pytest.mark.parametrize("seed", range(5))
def test_no_single_factor_nor_constant_is_likelier(seed):
    rng = np.random.default_rng(seed)
    std = np.exp(rng.normal(-4, 1, 500))
    results = results_of(std**0.5 * rng.normal(size=500), std)
    error2 = (results.mean[:, 1] - results.theta[:, 1]) ** 2
    best = negative_log_likelihood(
        results, fit_calibrations(results)["sigma_8"].variance(results.std[:, 1])
    )
    for variance in (error2.mean(), np.mean(error2 / std**2) * std**2):
        # the minimizer stops where a step gains less than 1e-9 of the loss
        assert best <= negative_log_likelihood(results, variance) + 1e-7


def test_information_of_exact_posteriors_is_the_narrowing_of_the_prior(rng):
    truth, noise = 0.1 * rng.normal(size=50_000), 0.05 * rng.normal(size=50_000)
    shrunk = 0.1**2 / (0.1**2 + 0.05**2)
    std = np.full(len(truth), np.sqrt(shrunk) * 0.05)
    results = results_of(shrunk * (truth + noise) - truth, std)
    found = measure_information(results, fit_calibrations(results), PRIOR).nats.mean()
    # the mean of 50,000 squared normal numbers is 1 +- 0.006
    assert found == pytest.approx(np.log(0.1 / std[0]), abs=0.02)


def test_sums_over_parameters(make_results):
    results = make_results(40)
    found = measure_information(results, fit_calibrations(results), PRIOR)
    both = found.rows_of(camels.COSMOLOGY)
    np.testing.assert_allclose(both, found.nats[:, 0] + found.nats[:, 1], rtol=1e-12)
    assert found.rmse_of(camels.COSMOLOGY) == pytest.approx(found.rmse_nats[:2].sum(), rel=1e-12)


def test_a_parameter_that_was_not_inferred_has_no_information():
    results = make_results_of_one()
    found = measure_information(results, fit_calibrations(results), PRIOR)
    with pytest.raises(ValueError, match="parameters: Expected some of sigma_8, got A_SN1"):
        found.rows_of(("A_SN1",))


def make_results_of_one() -> Results:
    return results_of(np.array([0.01, -0.02]), np.array([0.01, 0.02]))


def test_no_error_at_all_cannot_be_calibrated():
    with pytest.raises(ValueError, match="Expected errors > 0 of sigma_8, got only zeros"):
        fit_calibrations(results_of(np.zeros(3), np.full(3, 0.01)))


def test_the_prior_is_that_of_the_simulations():
    theta = camels.unscale_theta(np.tile(np.linspace(0, 1, 1001)[:, None], (1, 6)))
    widths = prior_widths(theta, (0, 2))
    # a uniform prior, of 1,001 values
    assert widths == pytest.approx({"Omega_m": 0.4 / 12**0.5, "A_SN1": 3.75 / 12**0.5}, rel=2e-3)


def test_a_prior_without_width_is_refused():
    with pytest.raises(ValueError, match="Expected a prior width > 0 of Omega_m, got 0"):
        prior_widths(np.full((4, 6), 0.3), (0,))
