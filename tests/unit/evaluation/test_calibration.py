"""Exact Gaussian posteriors pass. Wrong widths and biases fail the tests that detect them."""

import numpy as np
import pytest
from scipy import stats

from multifield import camels
from multifield.config.evaluation import BootstrapConfig, CalibrationConfig
from multifield.evaluation import Results, check_calibration
from multifield.evaluation.bootstrap import Resamples
from multifield.evaluation.calibration import (
    central_levels,
    compare_calibration,
    coverage_curve,
    probability_integral_transform,
    pulls,
    sbc_ranks,
    tarp_ranks,
)

BOOTSTRAP = BootstrapConfig(n_resamples=300, level=0.95, seed=1)
DRAWS = CalibrationConfig(n_draws=100, seed=1)
N_SIMULATIONS = 300
SIMULATION = np.repeat(np.arange(N_SIMULATIONS), 15)
TESTS = ("bias", "spread", "coverage", "PIT", "SBC", "TARP")
PRIOR_STD, NOISE_STD = 0.2, 0.1  # [0, 1] units
REJECTED = 0.01  # p-value


def gaussian_posteriors(*, width=1.0, bias=0.0, n_simulations=N_SIMULATIONS, seed=5):
    """Draw truth from the prior and one datum per map. The posterior of each map is exact.

    Noise is correlated by 0.2 between maps of a simulation. `width` multiplies the standard
    deviations, `bias` [std] is added to the means.
    """
    rng = np.random.default_rng(seed)
    shape = (15 * n_simulations, 6)
    siblings = np.repeat(np.arange(n_simulations), 15)
    theta = 0.5 + PRIOR_STD * rng.normal(size=(n_simulations, 6))[siblings]
    shared = rng.normal(size=(n_simulations, 6))[siblings]
    noise = np.sqrt(0.2) * shared + np.sqrt(0.8) * rng.normal(size=shape)
    variance = 1 / (PRIOR_STD**-2 + NOISE_STD**-2)
    mean = variance * (0.5 / PRIOR_STD**2 + (theta + NOISE_STD * noise) / NOISE_STD**2)
    std = np.full(shape, np.sqrt(variance))
    mean, std = camels.unscale_theta(mean + bias * std), camels.unscale_theta_std(width * std)
    mean[:, 2:] = std[:, 2:] = np.nan
    return Results(camels.unscale_theta(theta), mean, std, camels.COSMOLOGY)


def failed(results):
    """Tests that reject every parameter. A false rejection occurs in one seed of a hundred."""
    tests = check_calibration(results, SIMULATION, BOOTSTRAP, DRAWS)
    by_test = {test: [r["p_value"] for r in tests if r["test"] == test] for test in TESTS}
    return {test for test, values in by_test.items() if max(values) < REJECTED}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, set()),
        ({"width": 0.8}, {"spread", "coverage", "PIT", "SBC", "TARP"}),
        ({"width": 1.2}, {"spread", "coverage", "PIT", "SBC", "TARP"}),
        # a bias changes central intervals, and distances to random points, in second order only
        ({"bias": 0.2}, {"bias", "PIT", "SBC"}),
        ({"bias": -0.2}, {"bias", "PIT", "SBC"}),
    ],
)
def test_the_right_tests_fail(change, expected):
    assert failed(gaussian_posteriors(**change)) == expected


def test_statistics_say_how_wrong_a_posterior_is():
    tests = check_calibration(
        gaussian_posteriors(width=0.8, bias=0.2), SIMULATION, BOOTSTRAP, DRAWS
    )
    statistic = {(r["parameter"], r["test"]): r["statistic"] for r in tests}
    # bias is in std before the change of width; tolerance of four standard errors
    assert statistic["Omega_m", "bias"] == pytest.approx(
        0.2 / 0.8, abs=4 / 0.8 / np.sqrt(N_SIMULATIONS)
    )
    assert statistic["Omega_m", "spread"] == pytest.approx(
        1 / 0.8, abs=4 / 0.8 / np.sqrt(2 * N_SIMULATIONS)
    )
    distance = max(abs(2 * stats.norm.cdf(0.8 * x) - 2 * stats.norm.cdf(x)) for x in (1.1, 1.2))
    central = check_calibration(gaussian_posteriors(width=0.8), SIMULATION, BOOTSTRAP, DRAWS)[2]
    assert central["statistic"] == pytest.approx(distance, abs=4 * np.sqrt(0.25 / N_SIMULATIONS))


def test_maps_of_a_simulation_are_not_independent():
    # 15 maps share one error: 750 independent rows would reject a sample that 50 draws do not
    rng = np.random.default_rng(2)
    z = np.repeat(rng.normal(size=(200, 50)), 15, axis=1)
    simulation = np.repeat(np.arange(50), 15)
    resamples = Resamples(simulation, BOOTSTRAP)
    rejected = sum(coverage_curve(stats.norm.cdf(row), resamples).p_value < 0.05 for row in z)
    # 0.05 of 200 are 10 +- 3; measured 4 to 7% with 50 simulations
    assert rejected <= 22
    naive = sum(stats.kstest(stats.norm.cdf(row), "uniform").pvalue < 0.05 for row in z)
    assert naive > 100


# ---- the numbers ----


def by_hand(pull):
    row = np.array([[0.3, 0.8, 1.0, 1.0, 1.0, 1.0]])
    std = np.full_like(row, 0.1)
    return Results(row, row + pull * std, std)


@pytest.mark.parametrize(
    ("pull", "central", "pit"), [(0, 0, 0.5), (1, 0.6827, 0.1587), (-2, 0.9545, 0.9772)]
)
def test_numbers_of_one_row(pull, central, pit):
    results = by_hand(pull)
    assert pulls(results, "sigma_8")[0] == pytest.approx(pull)
    four_digits = 5e-5  # of the tables
    assert central_levels(results, "sigma_8")[0] == pytest.approx(central, abs=four_digits)
    pit_found = probability_integral_transform(results, "sigma_8")[0]
    assert pit_found == pytest.approx(pit, abs=four_digits)


def test_ranks_are_those_among_draws():
    results = gaussian_posteriors(n_simulations=40)
    config = CalibrationConfig(n_draws=20_000, seed=0)
    pit = probability_integral_transform(results, "Omega_m")
    binomial = 5 * np.sqrt(0.25 / config.n_draws)  # five standard deviations of a share
    np.testing.assert_allclose(sbc_ranks(results, "Omega_m", config), pit, atol=binomial)


def test_tarp_of_one_parameter_is_the_probability_nearer_to_the_point():
    results = gaussian_posteriors(n_simulations=2)
    mean, std = results.mean.copy(), results.std.copy()
    mean[:, 1] = std[:, 1] = np.nan
    one = Results(results.theta, mean, std, ("Omega_m",))
    config = CalibrationConfig(n_draws=20_000, seed=3)
    point = camels.unscale_theta(np.random.default_rng([3, 1]).random((30, 1)) * np.ones(6))[:, 0]
    distance = np.abs(one.theta[:, 0] - point)
    posterior = stats.norm(one.mean[:, 0], one.std[:, 0])
    expected = posterior.cdf(point + distance) - posterior.cdf(point - distance)
    binomial = 5 * np.sqrt(0.25 / config.n_draws)
    np.testing.assert_allclose(tarp_ranks(one, config), expected, atol=binomial)


# ---- the curve ----


def test_curve_by_hand():
    curve = coverage_curve(np.array([0.1, 0.1, 0.6, 0.9]), Resamples(np.arange(4), BOOTSTRAP))
    at = dict(zip(curve.nominal.round(3), curve.empirical, strict=True))
    assert (at[0.095], at[0.1], at[0.595], at[0.6], at[1.0]) == (0, 0.5, 0.5, 0.75, 1)
    assert curve.statistic == pytest.approx(0.4)
    assert (curve.low <= curve.empirical).all()
    assert (curve.empirical <= curve.high).all()


def test_one_simulation_has_no_band_and_no_p_value():
    results = gaussian_posteriors(n_simulations=1)
    tests = check_calibration(results, np.zeros(15, np.int64), BOOTSTRAP, DRAWS)
    assert {test["p_value"] for test in tests} == {None}
    curve = coverage_curve(
        central_levels(results, "Omega_m"), Resamples(np.zeros(15, np.int64), BOOTSTRAP)
    )
    assert np.isnan(curve.low).all()


def test_errors_far_outside_every_posterior_are_finite():
    results = gaussian_posteriors(width=1e-8, n_simulations=3)
    tests = check_calibration(results, np.repeat(np.arange(3), 15), BOOTSTRAP, DRAWS)
    assert all(np.isfinite(test["statistic"]) for test in tests)


def test_tests_before_and_after_are_in_one_table():
    before, after = (gaussian_posteriors(width=width, n_simulations=10) for width in (0.5, 1))
    simulation = np.repeat(np.arange(10), 15)
    rows = compare_calibration(before, after, simulation, BOOTSTRAP, DRAWS)
    assert len(rows) == 2 * (2 * 5 + 1)
    assert [row["sigma"] for row in rows[::11]] == ["inferred", "recalibrated"]
    assert {row["parameter"] for row in rows} == {"Omega_m", "sigma_8", "Omega_m+sigma_8"}
