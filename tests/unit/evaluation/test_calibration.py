"""Exact Gaussian posteriors pass. Wrong widths and biases fail the tests that detect them."""

import numpy as np
import pytest
from scipy import stats

from benchmarks.calibration import CASES, make_posteriors
from multifield import camels
from multifield.config.evaluation import BootstrapConfig, CalibrationConfig
from multifield.config.ingest import MockConfig
from multifield.evaluation import Results, check_calibration
from multifield.evaluation.bootstrap import Resamples
from multifield.evaluation.calibration import (
    central_levels,
    check_correlation,
    compare_calibration,
    compare_with_draws,
    coverage_curve,
    probability_integral_transform,
    pulls,
    sbc_ranks,
)
from multifield.evaluation.results import joint_results
from multifield.maps import log_transform
from multifield.mock import make_suite
from multifield.mock.gaussian_likelihood import summarize
from tests.helpers.grid_posterior import grid_posterior

BOOTSTRAP = BootstrapConfig(n_resamples=300, level=0.95, seed=1)
DRAWS = CalibrationConfig(n_draws=100, seed=1)
N_SIMULATIONS = 300
SIMULATION = np.repeat(np.arange(N_SIMULATIONS), 15)
TESTS = ("bias", "spread", "coverage", "PIT", "SBC", "TARP", "HPD", "projections", "correlation")
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
        ({"width": 0.8}, {"spread", "coverage", "PIT", "SBC", "TARP", "HPD", "projections"}),
        ({"width": 1.2}, {"spread", "coverage", "PIT", "SBC", "TARP", "HPD", "projections"}),
        # a bias changes central intervals and random projections in second order only
        ({"bias": 0.2}, {"bias", "PIT", "SBC"}),
        ({"bias": -0.2}, {"bias", "PIT", "SBC"}),
    ],
)
def test_the_right_tests_fail(change, expected):
    found = failed(gaussian_posteriors(**change))
    sometimes = {"HPD"} if "bias" in change else set()
    assert found - sometimes == expected


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
    found = probability_integral_transform(results)[:, 1]
    assert found[0] == pytest.approx(pit, abs=four_digits)
    assert central_levels(found)[0] == pytest.approx(central, abs=four_digits)


def test_pit_of_independent_gaussians_is_that_of_their_pulls():
    results = gaussian_posteriors(n_simulations=40)
    expected = stats.norm.cdf(-pulls(results, "Omega_m"))
    np.testing.assert_allclose(
        probability_integral_transform(results)[:, 0], expected, rtol=0, atol=1e-12
    )


def test_ranks_are_those_among_draws():
    results = gaussian_posteriors(n_simulations=40)
    config = CalibrationConfig(n_draws=20_000, seed=0)
    pit = probability_integral_transform(results)[:, 0]
    binomial = 5 * np.sqrt(0.25 / config.n_draws)  # five standard deviations of a share
    np.testing.assert_allclose(sbc_ranks(pit, "Omega_m", config), pit, atol=binomial)


def test_joint_ranks_of_one_parameter_are_probabilities():
    results = gaussian_posteriors(n_simulations=2)
    mean, std = results.mean.copy(), results.std.copy()
    mean[:, 1] = std[:, 1] = np.nan
    one = Results(results.theta, mean, std, ("Omega_m",))
    config = CalibrationConfig(n_draws=20_000, seed=3)
    rng = np.random.default_rng([3, 1])
    point = camels.unscale_theta(rng.random((30, 1)) * np.ones(6))[:, 0]
    sign = np.sign(rng.standard_normal((30, 1)))[:, 0]
    distance = np.abs(one.theta[:, 0] - point)
    posterior = stats.norm(one.mean[:, 0], one.std[:, 0])
    pit = posterior.cdf(one.theta[:, 0])
    expected = {
        "TARP": posterior.cdf(point + distance) - posterior.cdf(point - distance),
        "HPD": np.abs(2 * pit - 1),
        "projections": np.where(sign > 0, pit, 1 - pit),
    }
    found = compare_with_draws(one, config).ranks
    binomial = 5 * np.sqrt(0.25 / config.n_draws)
    for test, probability in expected.items():
        np.testing.assert_allclose(found[test], probability, atol=binomial)


def test_excess_is_the_product_of_pulls_minus_the_correlation():
    results = make_posteriors(np.random.default_rng(1), 3, correlation=0.5)
    config = CalibrationConfig(n_draws=20_000, seed=3)
    z = np.stack([pulls(results, name) for name in results.inferred], axis=1)
    expected = z[:, 0] * z[:, 1] - 0.5
    found = compare_with_draws(results, config).excess[:, 0, 1]
    # five standard deviations of a mean of 20,000 products
    np.testing.assert_allclose(found, expected, atol=5 * np.sqrt(1.25 / config.n_draws))


def test_the_worst_pair_is_tested_with_bonferroni():
    rng = np.random.default_rng(3)
    excess = rng.normal(size=(100, 3, 3))
    excess[:, 1, 2] += 0.3
    statistic, p_value = check_correlation(excess, Resamples(np.arange(100), BOOTSTRAP))
    expected = stats.ttest_1samp(excess[:, 1, 2], 0)
    assert statistic == pytest.approx(excess[:, 1, 2].mean())
    assert p_value == pytest.approx(3 * expected.pvalue, rel=1e-9)


# ---- joint posteriors: rates with 200 simulations are in the table of the module ----


def rejected(results, n_simulations):
    simulation = np.repeat(np.arange(n_simulations), len(results) // n_simulations)
    tests = check_calibration(results, simulation, BOOTSTRAP, DRAWS)
    return {test["test"] for test in tests if test["p_value"] < REJECTED}


def test_exact_joint_posteriors_pass():
    results = make_posteriors(np.random.default_rng(0), 200)
    assert not rejected(results, 200)


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("0.8 x widths", {"spread", "coverage", "HPD"}),
        ("1.25 x widths", {"spread", "coverage", "HPD"}),
        ("bias 0.3 std", {"bias", "PIT", "SBC"}),
        ("correlation -0.5 for 0.5", {"correlation", "HPD"}),
    ],
)
def test_wrong_joint_posteriors_fail(case, expected):
    results = make_posteriors(np.random.default_rng(0), 200, **CASES[case])
    assert expected <= rejected(results, 200)


def test_a_wrong_correlation_leaves_the_tests_of_one_parameter_alone():
    results = make_posteriors(np.random.default_rng(0), 200, **CASES["correlation -0.5 for 0.5"])
    assert not rejected(results, 200) & {"bias", "spread", "coverage", "PIT", "SBC"}


def test_exact_posteriors_of_mock_maps_pass():
    """Posteriors of MockGaussian, tabulated on a grid over the prior."""
    n_simulations = 60
    config = MockConfig(
        n_simulations=n_simulations, map_size=16, lattice=8, refine=1, seed=1, n_threads=1
    )
    theta, blocks = make_suite("MockGaussian", ("Mtot",), config)
    maps = log_transform(np.concatenate([block["Mtot"] for block in blocks]), "Mtot")
    truth = np.repeat(theta, 15, axis=0)
    exact = joint_results(truth, grid_posterior(summarize(maps)))
    assert not rejected(exact, n_simulations)
    narrow = joint_results(truth, grid_posterior(summarize(maps), sharpness=0.8**-2))
    assert {"spread", "HPD", "projections"} <= rejected(narrow, n_simulations)


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
        central_levels(probability_integral_transform(results)[:, 0]),
        Resamples(np.zeros(15, np.int64), BOOTSTRAP),
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
    assert len(rows) == 2 * (2 * 5 + 4)
    assert [row["sigma"] for row in rows[::14]] == ["inferred", "recalibrated"]
    assert {row["parameter"] for row in rows} == {"Omega_m", "sigma_8", "Omega_m+sigma_8"}
