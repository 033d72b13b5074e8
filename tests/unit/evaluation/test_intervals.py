import math

import numpy as np
import pytest

from multifield import camels
from multifield.config.evaluation import BootstrapConfig
from multifield.evaluation import (
    Results,
    estimate_differences,
    estimate_intervals,
    score_results,
    simulation_of_rows,
)
from multifield.evaluation.bootstrap import Resamples
from multifield.evaluation.metrics import METRICS

CONFIG = BootstrapConfig(n_resamples=300, level=0.95, seed=1)
ROUNDING = (
    1e-9  # relative; sums of squares minus squares of sums lose seven digits of float64 at most
)


def with_siblings(rng, n_simulations, correlation, inferred=camels.COSMOLOGY):
    """Calibrated results in which two maps of a simulation have correlated errors."""
    theta = camels.unscale_theta(np.repeat(rng.random((n_simulations, 6)), 15, axis=0))
    std = np.full_like(theta, 0.05)
    shared = np.repeat(rng.normal(size=(n_simulations, 6)), 15, axis=0)
    own = rng.normal(size=theta.shape)
    error = std * (math.sqrt(correlation) * shared + math.sqrt(1 - correlation) * own)
    mean = theta + error
    unused = [name not in inferred for name in camels.PARAMETER_NAMES]
    mean[:, unused] = std[:, unused] = np.nan
    return Results(theta, mean, std, inferred)


def test_values_are_those_of_the_metrics(make_results):
    results = make_results(60, n_simulations=4)
    intervals = estimate_intervals(results, simulation_of_rows(results, 1), CONFIG)
    metrics = score_results(results)
    assert tuple(intervals) == ("log_prob", *METRICS)
    for metric, parameters in metrics.items():
        assert {name: interval.value for name, interval in intervals[metric].items()} == parameters


@pytest.mark.parametrize("metric", ["log_prob", *METRICS])
def test_resamples_are_scored_as_their_rows_would_be(make_results, metric):
    results = make_results(150, ("Omega_m",), n_simulations=10)
    simulation = simulation_of_rows(results, 1)
    values = []
    for counts in Resamples(simulation, CONFIG).counts:
        rows = np.concatenate(
            [np.flatnonzero(simulation == s) for s, n in enumerate(counts) for _ in range(n)]
        )
        drawn = Results(results.theta[rows], results.mean[rows], results.std[rows], ("Omega_m",))
        values.append(score_results(drawn)[metric]["Omega_m"])
    found = estimate_intervals(results, simulation, CONFIG)[metric]["Omega_m"]
    low, high = np.quantile(values, [0.025, 0.975])
    assert (found.low, found.high) == pytest.approx((low, high), rel=ROUNDING)


def test_maps_of_a_simulation_do_not_shorten_an_interval(rng):
    results = with_siblings(rng, 50, correlation=1.0)
    whole = estimate_intervals(results, simulation_of_rows(results, 1), CONFIG)
    one_map = Results(results.theta[::15], results.mean[::15], results.std[::15], camels.COSMOLOGY)
    single = estimate_intervals(one_map, np.arange(50), CONFIG)
    for name in camels.COSMOLOGY:
        expected = single["RMSE"][name].error
        assert whole["RMSE"][name].error == pytest.approx(expected, rel=ROUNDING)


def test_an_interval_of_chi2_has_nominal_coverage(rng):
    n_sets = 300
    inside = 0
    for _ in range(n_sets):
        results = with_siblings(rng, 50, correlation=0.4, inferred=("Omega_m",))
        interval = estimate_intervals(results, simulation_of_rows(results, 1), CONFIG)["chi2"]
        inside += interval["Omega_m"].low < 1 < interval["Omega_m"].high
    # 50 draws of a skewed statistic: percentile intervals cover a few percent less
    assert 0.88 < inside / n_sets < 0.98


def test_undefined_metrics_have_no_interval(make_results):
    results = make_results(45, ("Omega_m",), n_simulations=1)  # three simulations of one truth
    intervals = estimate_intervals(results, simulation_of_rows(results, 1), CONFIG)
    assert intervals["R2"] == {}
    assert set(intervals["RMSE"]) == {"Omega_m"}


def test_one_simulation_has_no_intervals(make_results):
    results = make_results(15, n_simulations=1)
    intervals = estimate_intervals(results, simulation_of_rows(results, 1), CONFIG)
    assert intervals == {metric: {} for metric in ("log_prob", *METRICS)}


def test_an_index_of_other_rows_is_refused(make_results):
    with pytest.raises(ValueError, match="simulation: Expected 60 rows, got 3"):
        estimate_intervals(make_results(60), np.arange(3), CONFIG)


def test_a_difference_is_that_of_the_metrics_and_pairs_the_simulations(make_results):
    ours = make_results(150, n_simulations=10)
    shifted = Results(ours.theta, ours.mean + 0.01 * ours.std, 1.1 * ours.std, ours.inferred)
    simulation = simulation_of_rows(ours, 1)
    differences = estimate_differences(shifted, ours, simulation, CONFIG)
    before, after = score_results(ours), score_results(shifted)
    alone = estimate_intervals(shifted, simulation, CONFIG)
    for metric in ("RMSE", "chi2", "bias"):
        for name, interval in differences[metric].items():
            assert interval.value == after[metric][name] - before[metric][name]
            assert interval.error < 0.3 * alone[metric][name].error  # they are nearly the same
    nothing = estimate_differences(ours, ours, simulation, CONFIG)["RMSE"]["Omega_m"]
    assert (nothing.value, nothing.low, nothing.high) == (0, 0, 0)


def test_a_difference_needs_the_same_maps(make_results):
    ours, other = make_results(30, n_simulations=2), make_results(30, n_simulations=2, seed=1)
    with pytest.raises(ValueError, match="true parameters"):
        estimate_differences(ours, other, simulation_of_rows(ours, 1), CONFIG)
