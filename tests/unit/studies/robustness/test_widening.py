import numpy as np
import pytest

from multifield import camels
from multifield.evaluation import Results, score_results
from multifield.studies.robustness import fit_disagreement, widen


def make_results(error: float, std: float, n: int = 1) -> Results:
    theta = np.tile([0.3, 0.8, 1, 1, 1, 1], (15 * n, 1)).astype(float)
    mean, sigma = np.full_like(theta, np.nan), np.full_like(theta, np.nan)
    mean[:, :2], sigma[:, :2] = theta[:, :2] + error, std
    return Results(theta, mean, sigma, camels.COSMOLOGY)


def test_it_is_what_sigma_does_not_explain():
    taus = fit_disagreement([make_results(0.5, 0.3)])
    assert taus == {name: pytest.approx(0.4) for name in camels.COSMOLOGY}


def test_suites_count_alike_however_many_maps_they_have():
    taus = fit_disagreement([make_results(0.5, 0.3), make_results(0.0, 0.0, n=10)])
    assert taus["Omega_m"] == pytest.approx(np.sqrt(0.16 / 2))


def test_sigma_that_explains_all_is_not_narrowed():
    assert fit_disagreement([make_results(0.1, 0.3)])["sigma_8"] == 0


def test_widening_makes_chi2_of_such_a_suite_one():
    results = make_results(0.5, 0.3)
    widened = widen(results, fit_disagreement([results]))
    assert score_results(widened)["chi2"]["Omega_m"] == pytest.approx(1)
    np.testing.assert_array_equal(widened.mean, results.mean)
