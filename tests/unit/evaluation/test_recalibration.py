import numpy as np
import pytest

from benchmarks.calibration import make_posteriors
from multifield import camels
from multifield.evaluation import (
    Results,
    fit_sigma_factors,
    recalibrate,
    score_recalibrated,
    score_results,
)
from multifield.evaluation.recalibration import fit_factors

ROUNDING = 1e-4  # relative; the minimizer stops where a step gains little
SIZES = dict(zip(camels.PARAMETER_NAMES, (0.5, 0.8, 1.0, 1.5, 2.0, 3.0), strict=True))


def with_widths(results, sizes):
    factors = np.array([sizes[name] for name in camels.PARAMETER_NAMES])
    return Results(results.theta, results.mean, results.std * factors, results.inferred)


def fit(results):
    """Fit to rows that are simulations of their own."""
    return fit_sigma_factors(results, np.arange(len(results)))


def likeliest(results):
    """Factors of maximum likelihood, not shrunk."""
    logs = fit_factors(results, np.arange(len(results))).logs
    return dict(zip(results.inferred, np.exp(logs).tolist(), strict=True))


def test_likeliest_factors_give_validation_a_chi2_of_one(make_results):
    valid = with_widths(make_results(300), SIZES)
    chi2 = score_results(recalibrate(valid, likeliest(valid)))["chi2"]
    # the prior that is mixed in lowers the weight of the largest errors
    assert chi2 == pytest.approx(dict.fromkeys(camels.PARAMETER_NAMES, 1.0), abs=0.03)


def test_factors_undo_wrong_widths(make_results):
    honest = make_results(300)
    factors, spoilt = likeliest(honest), likeliest(with_widths(honest, SIZES))
    expected = {name: factors[name] / SIZES[name] for name in factors}
    assert spoilt == pytest.approx(expected, rel=1e-2)


@pytest.mark.parametrize("width", [1.0, 1.1])
def test_shrinkage_helps_with_few_validation_simulations(width):
    """Compare the expected information of test maps over many sets of 8 simulations.

    Shrinkage helps where the factor is not known to differ from 1: log f has an error of 0.17 here.
    """
    rng = np.random.default_rng(1)
    of = np.repeat(np.arange(8), 15)
    lost = []
    for _ in range(150):
        shared = rng.normal(size=8)[of]
        pull = np.sqrt(0.4) * shared + np.sqrt(0.6) * rng.normal(size=len(of))
        theta = np.full((len(of), 6), 0.8)
        mean, std = np.full(theta.shape, np.nan), np.full(theta.shape, np.nan)
        mean[:, 1], std[:, 1] = 0.8 + 0.02 * pull, 0.02 * width
        fitted = fit_factors(Results(theta, mean, std, ("sigma_8",)), of)
        scales = width * np.array([np.exp(fitted.logs[0]), fitted.shrunk()[0]])
        lost.append(np.log(scales) + 0.5 / scales**2 - 0.5)  # against exact widths
    unshrunk, shrunk = np.transpose(lost)
    difference = unshrunk - shrunk
    assert difference.mean() > 3 * difference.std() / np.sqrt(len(difference))
    assert shrunk.mean() < 0.8 * unshrunk.mean()  # measured 0.45 and 0.75


def test_a_single_simulation_changes_nothing(make_results):
    valid = with_widths(make_results(15, n_simulations=1), SIZES)
    factors = fit_sigma_factors(valid, np.zeros(15, np.int64))
    assert factors == dict.fromkeys(camels.PARAMETER_NAMES, 1.0)


def test_joint_posteriors_are_widened():
    changes = {"correlation": 0.5}
    valid = make_posteriors(np.random.default_rng(1), 200, width=0.7, **changes)
    exact = make_posteriors(np.random.default_rng(2), 200, **changes)
    narrow = make_posteriors(np.random.default_rng(2), 200, width=0.7, **changes)
    factors = fit_sigma_factors(valid, np.repeat(np.arange(200), 4))
    assert list(factors.values()) == pytest.approx([1 / 0.7] * 2, rel=0.06)  # 800 correlated maps
    recalibrated = recalibrate(narrow, factors)
    assert recalibrated.joint is not None
    np.testing.assert_allclose(recalibrated.std[:, :2], exact.std[:, :2], rtol=0.08)
    scores = [score_results(each)["log_prob"]["Omega_m+sigma_8"] for each in (recalibrated, exact)]
    assert scores[0] == pytest.approx(scores[1], abs=0.01)


def test_other_maps_of_the_same_network_are_calibrated_too(make_results):
    n = 3000
    valid, test = (with_widths(make_results(n, seed=seed), SIZES) for seed in (1, 2))
    chi2 = score_recalibrated(test, fit(valid))["chi2"]
    error = 5 * np.sqrt(2 * 2 / n)  # five standard deviations; both sets have chi2 +- sqrt(2 / n)
    assert chi2 == pytest.approx(dict.fromkeys(camels.PARAMETER_NAMES, 1.0), abs=error)


def test_copies_of_a_map_do_not_change_the_factors(make_results):
    valid = make_results(60)
    copies = Results(*(np.tile(t, (8, 1)) for t in (valid.theta, valid.mean, valid.std)))
    found = fit_sigma_factors(copies, np.tile(np.arange(60), 8))
    assert found == pytest.approx(fit(valid), rel=ROUNDING)


def test_means_and_their_scores_stay(make_results):
    results = with_widths(make_results(60), SIZES)
    factors = fit(make_results(60, seed=1))
    scores, before = score_recalibrated(results, factors), score_results(results)
    for metric in ("RMSE", "R2", "epsilon", "bias"):
        assert scores[metric] == before[metric]


def test_metrics_include_the_factors_of_compared_parameters(make_results):
    valid, test = make_results(60), make_results(60, camels.COSMOLOGY)
    factors = score_recalibrated(test, fit(valid))["sigma_factor"]
    assert factors == {name: fit(valid)[name] for name in camels.COSMOLOGY}


@pytest.mark.parametrize(
    "factors", [{}, {"sigma_8": 0.0}, {"sigma_8": np.inf}, {"sigma_8": np.nan}]
)
def test_a_missing_factor_is_refused(make_results, factors):
    with pytest.raises(ValueError, match="factors: Expected a finite factor > 0 for sigma_8"):
        recalibrate(make_results(inferred=("sigma_8",)), factors)


def test_perfect_validation_is_refused(make_results):
    results = make_results(inferred=("sigma_8",))
    perfect = Results(results.theta, results.mean.copy(), results.std, ("sigma_8",))
    perfect.mean[:, 1] = perfect.theta[:, 1]
    with pytest.raises(ValueError, match="Expected errors > 0 of sigma_8"):
        fit(perfect)
