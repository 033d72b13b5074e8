import numpy as np
import pytest

from multifield import camels
from multifield.config.evaluation import BootstrapConfig
from multifield.evaluation import Results, score_results
from multifield.studies.robustness import clipped_chi2, fit_disagreement, score_test, widen

BOOTSTRAP = BootstrapConfig(n_resamples=200, level=0.95, seed=1)


def make_results(error: float, std: float, n_simulations: int = 8) -> Results:
    """Make results with an error of `error` in Omega_m and 1e-3 in sigma_8."""
    rng = np.random.default_rng(0)
    theta = np.repeat(camels.unscale_theta(rng.random((n_simulations, 6))), 15, axis=0)
    mean, sigma = np.full_like(theta, np.nan), np.full_like(theta, np.nan)
    mean[:, 0], mean[:, 1], sigma[:, :2] = theta[:, 0] + error, theta[:, 1] + 1e-3, std
    return Results(theta, mean, sigma, camels.COSMOLOGY)


def test_outliers_are_left_out_and_counted():
    chi2, share = clipped_chi2(np.array([1.0, -2.0, 3.0, 10.0]), clip=9.0)
    assert chi2 == pytest.approx((1 + 4 + 9) / 3)
    assert share == pytest.approx(1 / 4)


def test_where_all_are_outliers_there_is_no_clipped_chi2():
    assert clipped_chi2(np.array([10.0, 20.0]), clip=9.0) == (None, 1.0)


def test_one_record_per_parameter_with_known_numbers():
    omega, sigma = score_test(make_results(error=0.1, std=0.05), 1, BOOTSTRAP, clip=3.0)
    assert (omega["parameter"], sigma["parameter"]) == camels.COSMOLOGY
    assert omega["RMSE"] == pytest.approx(0.1)
    assert omega["bias"] == pytest.approx(0.1)
    assert omega["chi2"] == pytest.approx(4.0)
    assert (omega["chi2_clipped"], omega["clipped"]) == (None, 1.0)
    assert sigma["chi2_clipped"] == pytest.approx((1e-3 / 0.05) ** 2)
    assert omega["n_simulations"] == 8


def test_intervals_hold_the_value():
    for record in score_test(make_results(0.1, 0.05), 1, BOOTSTRAP, clip=14.0):
        for metric in ("RMSE", "bias", "R2", "chi2"):
            # tolerance for rounding: here every simulation has the same error
            low, high = record[f"{metric}_low"] - 1e-9, record[f"{metric}_high"] + 1e-9
            assert low <= record[metric] <= high, metric


def all_off_by(error: float, std: float, n: int = 1) -> Results:
    theta = np.tile([0.3, 0.8, 1, 1, 1, 1], (15 * n, 1)).astype(float)
    mean, sigma = np.full_like(theta, np.nan), np.full_like(theta, np.nan)
    mean[:, :2], sigma[:, :2] = theta[:, :2] + error, std
    return Results(theta, mean, sigma, camels.COSMOLOGY)


def test_it_is_what_sigma_does_not_explain():
    taus = fit_disagreement([all_off_by(0.5, 0.3)])
    assert taus == {name: pytest.approx(0.4) for name in camels.COSMOLOGY}


def test_suites_count_alike_however_many_maps_they_have():
    taus = fit_disagreement([all_off_by(0.5, 0.3), all_off_by(0.0, 0.0, n=10)])
    assert taus["Omega_m"] == pytest.approx(np.sqrt(0.16 / 2))


def test_sigma_that_explains_all_is_not_narrowed():
    assert fit_disagreement([all_off_by(0.1, 0.3)])["sigma_8"] == 0


def test_widening_makes_chi2_of_such_a_suite_one():
    results = all_off_by(0.5, 0.3)
    widened = widen(results, fit_disagreement([results]))
    assert score_results(widened)["chi2"]["Omega_m"] == pytest.approx(1)
    np.testing.assert_array_equal(widened.mean, results.mean)
