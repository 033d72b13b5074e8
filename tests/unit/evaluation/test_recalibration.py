import numpy as np
import pytest

from multifield import camels
from multifield.evaluation import (
    Results,
    fit_sigma_factors,
    recalibrate,
    score_recalibrated,
    score_results,
)

ROUNDING = 1e-12  # relative; float64 sums of some hundred terms
SIZES = dict(zip(camels.PARAMETER_NAMES, (0.5, 0.8, 1.0, 1.5, 2.0, 3.0), strict=True))


def with_widths(results, sizes):
    factors = np.array([sizes[name] for name in camels.PARAMETER_NAMES])
    return Results(results.theta, results.mean, results.std * factors, results.inferred)


def test_factors_give_validation_a_chi2_of_one(make_results):
    valid = with_widths(make_results(300), SIZES)
    chi2 = score_results(recalibrate(valid, fit_sigma_factors(valid)))["chi2"]
    assert chi2 == pytest.approx(dict.fromkeys(camels.PARAMETER_NAMES, 1.0), rel=ROUNDING)


def test_factors_undo_wrong_widths(make_results):
    honest = make_results(300)
    factors, spoilt = fit_sigma_factors(honest), fit_sigma_factors(with_widths(honest, SIZES))
    expected = {name: factors[name] / SIZES[name] for name in factors}
    assert spoilt == pytest.approx(expected, rel=ROUNDING)


def test_other_maps_of_the_same_network_are_calibrated_too(make_results):
    n = 3000
    valid, test = (with_widths(make_results(n, seed=seed), SIZES) for seed in (1, 2))
    chi2 = score_recalibrated(test, fit_sigma_factors(valid))["chi2"]
    error = 5 * np.sqrt(2 * 2 / n)  # five standard deviations; both sets have chi2 +- sqrt(2 / n)
    assert chi2 == pytest.approx(dict.fromkeys(camels.PARAMETER_NAMES, 1.0), abs=error)


def test_copies_of_a_map_do_not_change_the_factors(make_results):
    valid = make_results(60)
    copies = Results(*(np.tile(t, (8, 1)) for t in (valid.theta, valid.mean, valid.std)))
    assert fit_sigma_factors(copies) == pytest.approx(fit_sigma_factors(valid), rel=ROUNDING)


def test_means_and_their_scores_stay(make_results):
    results = with_widths(make_results(60), SIZES)
    factors = fit_sigma_factors(make_results(60, seed=1))
    scores, before = score_recalibrated(results, factors), score_results(results)
    for metric in ("RMSE", "R2", "epsilon", "bias"):
        assert scores[metric] == before[metric]


def test_metrics_include_the_factors_of_compared_parameters(make_results):
    valid, test = make_results(60), make_results(60, camels.COSMOLOGY)
    factors = score_recalibrated(test, fit_sigma_factors(valid))["sigma_factor"]
    assert factors == {name: fit_sigma_factors(valid)[name] for name in camels.COSMOLOGY}


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
        fit_sigma_factors(perfect)
