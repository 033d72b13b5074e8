import math

import numpy as np
import pytest

from multifield import camels
from multifield.config.evaluation import BootstrapConfig
from multifield.evaluation import (
    Results,
    estimate_intervals,
    estimate_recalibrated_intervals,
    fit_sigma_factors,
    recalibrate,
    score_recalibrated,
    simulation_of_rows,
)
from multifield.evaluation.bootstrap import Resamples
from multifield.evaluation.intervals import OF_SIGMA
from multifield.evaluation.recalibration import fit_factors

CONFIG = BootstrapConfig(n_resamples=200, level=0.95, seed=1)
NAME = "Omega_m"
GAUSSIAN_COVERAGE = math.erf(1 / math.sqrt(2))
ROUNDING = 1e-9  # relative; float64 sums of some hundred terms


def exact(rng, n_simulations, width=1.0, n_maps=4):
    """Posteriors too wide by `width`. Errors of a simulation have a correlation of 0.4."""
    of = np.repeat(np.arange(n_simulations), n_maps)
    theta = camels.unscale_theta(rng.random((n_simulations, 6)))[of]
    shared = rng.normal(size=(n_simulations, 6))[of]
    error = 0.05 * (math.sqrt(0.4) * shared + math.sqrt(0.6) * rng.normal(size=theta.shape))
    mean, std = theta + error, np.full_like(theta, 0.05 * width)
    mean[:, 1:] = std[:, 1:] = np.nan
    return Results(theta, mean, std, (NAME,)), of


def holds(interval, value):
    return interval.low < value < interval.high


def test_an_interval_has_nominal_coverage_if_the_factor_varies(rng):
    n_sets, inside, inside_if_known = 120, 0, 0
    for _ in range(n_sets):
        test, valid = exact(rng, 40, width=1.3), exact(rng, 40, width=1.3)
        after = recalibrate(test[0], fit_sigma_factors(*valid))
        known = estimate_intervals(after, test[1], CONFIG)["chi2"][NAME]
        found = estimate_recalibrated_intervals(*test, *valid, CONFIG, ("chi2",))["chi2"][NAME]
        inside += holds(found, 1)
        inside_if_known += holds(known, 1)
    # 40 draws of a skewed statistic, and a factor that is shrunk by some percent
    assert 0.8 < inside / n_sets < 0.99
    assert inside_if_known < inside - 0.05 * n_sets


def test_the_interval_of_a_coverage_contains_that_of_a_gaussian(rng):
    n_sets, inside = 80, 0
    for _ in range(n_sets):
        sets = (*exact(rng, 40, width=1.3), *exact(rng, 40, width=1.3))
        found = estimate_recalibrated_intervals(*sets, CONFIG, ("coverage_68",))
        inside += holds(found["coverage_68"][NAME], GAUSSIAN_COVERAGE)
    assert 0.87 < inside / n_sets < 1.0  # 93% in 500 sets


def rows_of(simulation, counts):
    return np.concatenate(
        [np.flatnonzero(simulation == s) for s, n in enumerate(counts) for _ in range(n)]
    )


def take(results, rows):
    return Results(results.theta[rows], results.mean[rows], results.std[rows], results.inferred)


def test_resamples_are_fitted_and_scored_as_their_rows_would_be(rng):
    (test, of_test), (valid, of_valid) = exact(rng, 40, width=1.5), exact(rng, 40, width=1.5)
    config = BootstrapConfig(n_resamples=100, level=0.9, seed=3)
    scores = []
    for of, ov in zip(
        Resamples(of_test, config).counts, Resamples(of_valid, config, (1,)).counts, strict=True
    ):
        # copies of a simulation count as one, as in the standard error of all rows
        rows = rows_of(of_valid, ov)
        fit = fit_factors(take(valid, rows), np.unique(of_valid[rows], return_inverse=True)[1])
        factors = {NAME: float(np.exp(fit.logs[0]))}
        scores.append(score_recalibrated(take(test, rows_of(of_test, of)), factors))
    intervals = estimate_recalibrated_intervals(test, of_test, valid, of_valid, config)
    assert tuple(intervals) == OF_SIGMA
    whole = score_recalibrated(test, fit_sigma_factors(valid, of_valid))
    for metric in OF_SIGMA:
        found = intervals[metric][NAME]
        low, high = np.quantile([each[metric][NAME] for each in scores], [0.05, 0.95])
        # shrinkage by some percent
        assert (found.low, found.high) == pytest.approx((low, high), abs=0.2 * (high - low))
        assert found.value == pytest.approx(whole[metric][NAME], rel=ROUNDING)


def test_validation_and_test_simulations_are_drawn_independently():
    simulation = np.arange(50)
    test, valid = (Resamples(simulation, CONFIG, key).counts for key in ((), (1,)))
    correlation = np.corrcoef(test.ravel(), valid.ravel())[0, 1]
    assert abs(correlation) < 5 / math.sqrt(test.size)  # five standard deviations


def test_untested_parameters_need_no_interval(make_results):
    valid, test = make_results(60, n_simulations=4), make_results(60, (NAME,), n_simulations=4)
    of = simulation_of_rows(test, 1)
    found = estimate_recalibrated_intervals(test, of, valid, of, CONFIG)
    assert all(set(intervals) == {NAME} for intervals in found.values())


@pytest.mark.parametrize(("n_test", "n_valid"), [(1, 5), (5, 1)])
def test_one_simulation_of_either_kind_has_no_intervals(rng, n_test, n_valid):
    found = estimate_recalibrated_intervals(*exact(rng, n_test), *exact(rng, n_valid), CONFIG)
    assert found == {metric: {} for metric in OF_SIGMA}


@pytest.mark.parametrize("which", ["test", "valid"])
def test_an_index_of_other_rows_is_refused(rng, which):
    sets = {"test": exact(rng, 3), "valid": exact(rng, 3)}
    sets[which] = (sets[which][0], np.arange(3))
    with pytest.raises(ValueError, match=f"{which}_simulation: Expected 12 rows, got 3"):
        estimate_recalibrated_intervals(*sets["test"], *sets["valid"], CONFIG)
