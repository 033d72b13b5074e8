import numpy as np
import pytest

from multifield import camels
from multifield.config.evaluation import BootstrapConfig
from multifield.evaluation import Results
from multifield.studies.robustness import clipped_chi2, compare_methods, score_test
from tests.unit.studies.robustness.examples import method, robustness

BOOTSTRAP = BootstrapConfig(n_resamples=200, level=0.95, seed=1)


def make_results(error: float, std: float, n_simulations: int = 8) -> Results:
    """Every mean of Omega_m off by `error`, sigma_8 exact but for 1e-3."""
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


def test_a_record_a_parameter_with_known_numbers():
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
            # a hair for rounding: here every simulation has the same error
            low, high = record[f"{metric}_low"] - 1e-9, record[f"{metric}_high"] + 1e-9
            assert low <= record[metric] <= high, metric


def rows(values: dict[tuple[str, str, str], float]) -> list[dict[str, str]]:
    """Records as a CSV gives them: (method, trained on, tested on) -> RMSE of both parameters."""
    return [
        {
            "field": "T",
            "smoothing_width": "0.0",
            "method": name,
            "trained_on": trained,
            "tested_on": tested,
            "parameter": parameter,
            "RMSE": str(value),
            "chi2": str(10 * value),
            "chi2_clipped": "",
        }
        for (name, trained, tested), value in values.items()
        for parameter in camels.COSMOLOGY
    ]


def test_methods_beside_the_networks_of_one_suite():
    tng, simba, astrid = robustness().suites
    both = f"{tng}+{simba}"
    records = rows(
        {
            ("one_suite", tng, tng): 0.1,
            ("one_suite", simba, simba): 0.3,
            ("one_suite", tng, simba): 9.0,
            ("one_suite", tng, astrid): 0.6,
            ("one_suite", simba, astrid): 1.0,
            ("one_suite", astrid, astrid): 0.15,
            ("one_suite", astrid, tng): 9.0,
            ("m", both, tng): 0.2,
            ("m", both, simba): 0.3,
            ("m", both, astrid): 0.4,
        }
    )
    plain, _, found, _ = compare_methods(records, robustness(methods=(method("m"),)))
    assert (plain["home_RMSE"], plain["held_back_RMSE"]) == pytest.approx((0.2, 0.8))
    assert plain["on_its_own_RMSE"] == pytest.approx(0.15)
    assert (found["home_RMSE"], found["held_back_RMSE"]) == pytest.approx((0.25, 0.4))
    assert found["held_back_chi2"] == pytest.approx(4.0)
    assert found["RMSE_to_one_suite"] == pytest.approx(0.5)
    assert found["home_RMSE_to_one_suite"] == pytest.approx(1.25)
