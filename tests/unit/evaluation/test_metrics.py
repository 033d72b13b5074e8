import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multifield import camels
from multifield.evaluation import METRICS, score, score_results

ROUNDING = 1e-12  # relative; float64 sums of a few terms, eps = 2e-16
SHIFT_ROUNDING = 1e-9  # absolute; numbers up to 1e3 lose 1e-13 each in a shift
N_DRAWS = 20_000
CHI2_TOLERANCE = 5 * math.sqrt(2 / N_DRAWS)  # 5 standard deviations of a mean of chi2 with 1 dof
COVERAGE_TOLERANCE = 5 * math.sqrt(0.25 / N_DRAWS)  # a binomial share's is at most sqrt(1/4n)

OMEGA_M = ("Omega_m",)


def tables(theta, mean, std):
    """Put one parameter, Omega_m, into tables of six."""
    padding = [(0, 0), (0, 5)]
    return tuple(
        np.pad(np.array(values, dtype=float)[:, None], padding, constant_values=np.nan)
        for values in (theta, mean, std)
    )


def values_of(theta, mean, std):
    scores = score(*tables(theta, mean, std), OMEGA_M)
    return {metric: found["Omega_m"] for metric, found in scores.items() if found}


# ---- by hand: errors +0.1, -0.1, 0, 0.2 ----


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("RMSE", math.sqrt(0.06 / 4)),
        ("normalized_RMSE", math.sqrt(0.06 / 4) / 0.4),
        ("relative_error", math.sqrt((1.0 + 0.25 + 0.0 + 0.25) / 4)),
        ("epsilon", (1.0 + 0.5 + 0.0 + 0.5) / 4),
        ("R2", 1 - 0.06 / 0.05),
        ("chi2", (1.0 + 4.0 + 0.0 + 1.5**2) / 4),
        ("bayesian_error", (0.1 + 0.05 + 0.3 + 0.4 / 3) / 4),
        ("precision", (0.5 + 0.5 + 1.0 + 0.4 / 3 / 0.6) / 4),
        ("bias", 0.05),
        ("coverage_68", 0.25),
        ("coverage_95", 0.75),
    ],
)
def test_metric_equals_hand_computed(metric, expected):
    # 0.2 - 0.1 is 0.1 in float64 too: the first row is at exactly 1 sigma and the second at
    # exactly 2, and "<" leaves the edge outside
    found = values_of([0.1, 0.2, 0.3, 0.4], [0.2, 0.1, 0.3, 0.6], [0.1, 0.05, 0.3, 0.4 / 3])
    assert found[metric] == pytest.approx(expected, rel=ROUNDING)


def test_keys_are_the_documented_ones():
    assert METRICS == (
        "RMSE", "normalized_RMSE", "relative_error", "epsilon", "R2", "chi2",
        "bayesian_error", "precision", "bias", "coverage_68", "coverage_95",
    )  # fmt: skip


def test_values_are_plain_floats(make_results):
    scores = score_results(make_results())
    assert all(
        type(value) is float for parameters in scores.values() for value in parameters.values()
    )


def test_normalization_is_by_each_parameters_own_range(make_results):
    scores = score_results(make_results())
    for parameter in camels.PARAMETERS:
        expected = scores["RMSE"][parameter.name] / (parameter.maximum - parameter.minimum)
        assert scores["normalized_RMSE"][parameter.name] == pytest.approx(expected, rel=ROUNDING)


# ---- properties ----

truths = st.lists(st.floats(0.1, 10), min_size=2, max_size=20).filter(lambda x: np.ptp(x) > 0.01)
shifts = st.floats(-10, 10)
quick = settings(max_examples=40)


@quick
@given(truths)
def test_perfect_prediction(theta):
    found = values_of(theta, theta, np.ones_like(theta))
    assert found["R2"] == 1
    assert found["coverage_68"] == found["coverage_95"] == 1
    for metric in ("RMSE", "normalized_RMSE", "relative_error", "epsilon", "chi2", "bias"):
        assert found[metric] == 0


@quick
@given(truths, shifts)
def test_shifting_truth_and_mean_together_changes_no_absolute_metric(theta, shift):
    theta = np.array(theta)
    mean, std = theta[::-1], np.ones_like(theta)
    before, after = values_of(theta, mean, std), values_of(theta + shift, mean + shift, std)
    for metric in ("RMSE", "normalized_RMSE", "chi2", "bayesian_error", "bias"):
        assert after[metric] == pytest.approx(before[metric], abs=SHIFT_ROUNDING)


@quick
@given(truths, shifts)
def test_constant_offset_is_the_bias_and_the_rmse(theta, shift):
    found = values_of(theta, np.add(theta, shift), np.ones_like(theta))
    assert found["bias"] == pytest.approx(shift, abs=SHIFT_ROUNDING)
    assert found["RMSE"] == pytest.approx(abs(shift), abs=SHIFT_ROUNDING)


@quick
@given(truths)
def test_predicting_the_mean_has_no_skill(theta):
    found = values_of(theta, np.full_like(theta, np.mean(theta)), np.ones_like(theta))
    assert found["R2"] == pytest.approx(0, abs=SHIFT_ROUNDING)


@quick
@given(truths, st.floats(0.1, 10))
def test_chi2_falls_with_the_square_of_sigma(theta, factor):
    mean, std = np.add(theta, 1.0), np.ones_like(theta)
    expected = values_of(theta, mean, std)["chi2"] / factor**2
    assert values_of(theta, mean, std * factor)["chi2"] == pytest.approx(expected, rel=ROUNDING)


@quick
@given(truths, st.randoms(use_true_random=False))
def test_order_of_maps_does_not_matter(theta, random):
    theta = np.array(theta)
    mean = theta[::-1] * 1.5
    order = random.sample(range(len(theta)), len(theta))
    before = values_of(theta, mean, np.ones_like(theta))
    after = values_of(theta[order], mean[order], np.ones_like(theta))
    # R2 divides by a variance that may be small
    assert after == pytest.approx(before, rel=SHIFT_ROUNDING, abs=SHIFT_ROUNDING)


def test_gaussian_errors_are_calibrated(make_results):
    scores = score_results(make_results(N_DRAWS))
    for name in camels.PARAMETER_NAMES:
        assert scores["chi2"][name] == pytest.approx(1, abs=CHI2_TOLERANCE)
        one, two = math.erf(1 / math.sqrt(2)), math.erf(2 / math.sqrt(2))
        assert scores["coverage_68"][name] == pytest.approx(one, abs=COVERAGE_TOLERANCE)
        assert scores["coverage_95"][name] == pytest.approx(two, abs=COVERAGE_TOLERANCE)


def test_float32_is_averaged_in_float64():
    theta, mean, std = tables(np.full(100_000, 0.3), np.full(100_000, 0.4), np.full(100_000, 0.1))
    single = [table.astype(np.float32) for table in (theta, mean, std)]
    found = score(*single, OMEGA_M)
    expected = float(np.float32(0.4)) - float(np.float32(0.3))
    assert found["bias"]["Omega_m"] == pytest.approx(expected, rel=ROUNDING)


# ---- which parameters ----


def test_only_inferred_parameters_are_scored(make_results):
    scores = score_results(make_results(inferred=camels.COSMOLOGY))
    assert tuple(scores.pop("log_prob")) == ("Omega_m+sigma_8",)
    assert all(tuple(found) == camels.COSMOLOGY for found in scores.values())


def test_fewer_parameters_can_be_scored(make_results):
    results = make_results()
    scores = score_results(results, camels.COSMOLOGY)
    assert scores["RMSE"] == {
        name: score_results(results)["RMSE"][name] for name in camels.COSMOLOGY
    }


def test_unknown_parameter_is_refused(make_results):
    with pytest.raises(ValueError, match=r"Expected one of Omega_m, .*, got 'Omega_b'"):
        score_results(make_results(), ["Omega_b"])


# ---- undefined metrics are left out ----


def test_r2_of_a_constant_parameter_is_left_out():
    theta = [0.3] * 7  # whose float64 mean is not 0.3
    scores = score(*tables(theta, [0.31] * 7, [0.1] * 7), OMEGA_M)
    assert scores["R2"] == {}
    assert scores["RMSE"]["Omega_m"] == pytest.approx(0.01, rel=1e-9)


def test_relative_errors_of_a_zero_truth_are_left_out():
    scores = score(*tables([0.0, 1.0], [0.1, 0.9], [0.1, 0.1]), OMEGA_M)
    assert scores["relative_error"] == scores["epsilon"] == {}


def test_precision_of_a_zero_mean_is_left_out():
    scores = score(*tables([0.1, 1.0], [0.0, 0.9], [0.1, 0.1]), OMEGA_M)
    assert scores["precision"] == {}


# ---- hostile input ----


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("label", ["theta", "mean", "std"])
def test_non_finite_is_refused_by_name(make_results, label, value):
    results = make_results()
    getattr(results, label)[7, 1] = value
    with pytest.raises(ValueError, match=rf"{label} of sigma_8: Expected finite, got .* row 7"):
        score(results.theta, results.mean, results.std)


@pytest.mark.parametrize("value", [0.0, -0.1])
def test_std_must_be_positive(make_results, value):
    results = make_results()
    results.std[3, 2] = value
    with pytest.raises(ValueError, match=rf"std of A_SN1: Expected > 0, got {value} in row 3"):
        score(results.theta, results.mean, results.std)


def test_rows_must_agree(make_results):
    results = make_results()
    with pytest.raises(ValueError, match="std: Expected 60 rows as in theta, got 59"):
        score(results.theta, results.mean, results.std[:-1])


def test_six_columns_are_needed(make_results):
    results = make_results()
    with pytest.raises(ValueError, match=r"mean: Expected shape \(M, 6\), got \(60, 2\)"):
        score(results.theta, results.mean[:, :2], results.std, camels.COSMOLOGY)


def test_no_row_is_refused():
    empty = np.empty((0, 6))
    with pytest.raises(ValueError, match="Expected at least one row"):
        score(empty, empty, empty)
