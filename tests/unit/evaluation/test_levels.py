import numpy as np
import pytest

from multifield import camels
from multifield.config.evaluation import BootstrapConfig
from multifield.evaluation import (
    Predictions,
    Results,
    average_orientations,
    compare_levels,
    name_predictions,
)
from multifield.evaluation.information import measure_information

CONFIG = BootstrapConfig(n_resamples=200, level=0.95, seed=1)
N_SIMULATIONS, N_COPIES = 200, 2
STD = 0.05


def looks(seed, width=1.0):
    """Two views of 15 maps per simulation, with errors of simulation, map and view."""
    rng = np.random.default_rng(seed)
    of = np.repeat(np.arange(N_SIMULATIONS), 15)
    theta = camels.unscale_theta(rng.random((N_SIMULATIONS, 6)))[of]
    of_simulation = np.sqrt(0.2) * rng.normal(size=(N_SIMULATIONS, 6))[of]
    of_map = np.sqrt(0.4) * rng.normal(size=theta.shape)
    rows = [
        theta + STD * (of_simulation + of_map + np.sqrt(0.4) * rng.normal(size=theta.shape))
        for _ in range(N_COPIES)
    ]
    mean = np.concatenate(rows)
    std = np.full_like(mean, width * STD)
    mean[:, 2:] = std[:, 2:] = np.nan
    return Results(np.tile(theta, (N_COPIES, 1)), mean, std, camels.COSMOLOGY)


@pytest.fixture(scope="module")
def rows():
    predictions = Predictions(valid=looks(1, 0.7), test=looks(2, 0.7), n_copies=N_COPIES)
    table = compare_levels({"best": predictions}, CONFIG)
    return {(row["level"], row["parameter"]): row for row in table}


def test_one_row_per_level_and_parameter(rows):
    levels = ("view", "map", "simulation")
    assert list(rows) == [(level, name) for level in levels for name in camels.COSMOLOGY]


@pytest.mark.parametrize(("level", "variance"), [("view", 1), ("map", 0.8), ("simulation", 0.24)])
def test_errors_shrink_as_they_should(rows, level, variance):
    for name in camels.COSMOLOGY:
        row = rows[level, name]
        # 200 simulations know an RMSE to 1 / sqrt(2 x 200); four of that
        assert row["RMSE"] == pytest.approx(STD * np.sqrt(variance), rel=4 / np.sqrt(400))
        assert row["RMSE_low"] < row["RMSE"] < row["RMSE_high"]


@pytest.mark.parametrize("level", ["view", "map", "simulation"])
def test_every_level_is_calibrated_by_its_own_factor(rows, level):
    for name in camels.COSMOLOGY:
        # five standard errors of two chi2 of 200 simulations
        assert rows[level, name]["recalibrated_chi2"] == pytest.approx(1, abs=5 * np.sqrt(4 / 200))
    assert rows["view", "Omega_m"]["chi2"] > 1.7  # 1 / 0.7^2 = 2.04 as inferred


def test_the_information_is_joint_and_grows_with_the_maps(rows):
    shown = {
        (row["level"], row["log_prob_low"], row["log_prob"], row["log_prob_high"])
        for row in rows.values()
    }
    assert len(shown) == 3  # the same for every parameter
    nats = {level: value for level, _, value, _ in shown}
    maps = average_orientations(looks(2, 0.7), N_COPIES)
    assert nats["map"] == pytest.approx(measure_information(maps).mean(), rel=1e-12)
    assert nats["view"] < nats["map"] < nats["simulation"]
    assert all(low < value < high for _, low, value, high in shown)


def test_undefined_metrics_are_empty_cells():
    test = looks(2)
    constant = Results(
        np.broadcast_to(test.theta[:1], test.theta.shape), test.mean, test.std, camels.COSMOLOGY
    )
    row = compare_levels({"best": Predictions(looks(1), constant, N_COPIES)}, CONFIG)[0]
    assert row["R2"] is row["R2_low"] is row["R2_high"] is None


def test_several_networks_have_an_ensemble():
    several = [looks(1), looks(1, 0.5)]
    named = name_predictions(several, several, N_COPIES)
    assert list(named) == ["best", "ensemble_2"]
    assert named["best"].test is several[0]
    variance = (1 + 0.25) / 2 * STD**2  # the means are the same
    np.testing.assert_allclose(named["ensemble_2"].valid.std[:, :2] ** 2, variance, rtol=1e-12)
    assert list(name_predictions(several[:1], several[:1], N_COPIES)) == ["best"]
