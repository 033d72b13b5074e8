"""Information of maps in nats."""

import numpy as np
import pytest

from multifield import camels
from multifield.evaluation import Results, fit_sigma_factors, recalibrate, score_results
from multifield.evaluation.information import measure_information

ONE = ("sigma_8",)
WIDTH = 0.4  # of the prior of sigma_8
LOWEST = np.log(1e-3)  # share of the prior that is mixed in


def results_of(errors: np.ndarray, stds: np.ndarray, theta: float = 0.8) -> Results:
    """Results of sigma_8 alone."""
    truth = np.full((len(errors), 6), theta)
    mean, std = (np.full(truth.shape, np.nan) for _ in range(2))
    mean[:, 1], std[:, 1] = theta + errors, stds
    return Results(truth, mean, std, ONE)


def test_information_by_hand() -> None:
    found = measure_information(results_of(np.array([0.0, 0.02]), np.array([0.01, 0.02])))
    peak = np.log(WIDTH / np.sqrt(2 * np.pi))
    # 0.1% of the prior and the least standard deviation of a head change less than 0.001 nats
    np.testing.assert_allclose(found, [peak - np.log(0.01), peak - np.log(0.02) - 0.5], atol=2e-3)


def test_no_map_costs_more_than_seven_nats() -> None:
    found = measure_information(results_of(np.array([0.1]), np.array([1e-8])))
    assert found[0] == pytest.approx(LOWEST, abs=1e-9)


def test_one_sigma_near_zero_does_not_widen_the_others(rng: np.random.Generator) -> None:
    """A factor that gives a chi2 of 1 would be 10^4."""
    std = np.full(1_500, 0.02)
    errors = std * rng.normal(size=len(std))
    errors[0], std[0] = 0.02, 1e-8
    results = results_of(errors, std)
    factor = fit_sigma_factors(results, np.repeat(np.arange(100), 15))["sigma_8"]
    # 1,500 draws determine a width to 2%
    assert factor == pytest.approx(1, abs=0.08)
    before = measure_information(results)[1:].mean()
    after = measure_information(recalibrate(results, {"sigma_8": factor}))[1:].mean()
    assert after == pytest.approx(before, abs=0.01)


def test_information_of_exact_posteriors_is_the_narrowing_of_the_prior(
    rng: np.random.Generator,
) -> None:
    std = np.full(50_000, 0.02)
    found = measure_information(results_of(std * rng.normal(size=len(std)), std)).mean()
    entropy = np.log(0.02 * np.sqrt(2 * np.pi * np.e))
    # the mean of 50,000 squared normal numbers is 1 +- 0.006
    assert found == pytest.approx(np.log(WIDTH) - entropy, abs=0.02)


def test_independent_posteriors_have_the_sum_of_their_marginals(make_results) -> None:
    results = make_results(40)
    both = measure_information(results, camels.COSMOLOGY)
    alone = [measure_information(results, (name,)) for name in camels.COSMOLOGY]
    inside = np.minimum(*alone) > 0  # where the prior that is mixed in does not matter
    np.testing.assert_allclose(both[inside], sum(alone)[inside], atol=5e-3)


def test_the_score_is_the_mean_over_rows(make_results) -> None:
    results = make_results(40)
    names = "+".join(camels.PARAMETER_NAMES)
    scores = score_results(results)
    assert next(iter(scores)) == "log_prob"
    assert scores["log_prob"] == {names: pytest.approx(measure_information(results).mean())}
    of_two = score_results(results, camels.COSMOLOGY)["log_prob"]
    assert of_two == {
        "Omega_m+sigma_8": pytest.approx(measure_information(results, camels.COSMOLOGY).mean())
    }


def test_a_parameter_that_was_not_inferred_has_no_information() -> None:
    results = results_of(np.array([0.01, -0.02]), np.array([0.01, 0.02]))
    with pytest.raises(ValueError, match="Expected some of sigma_8, got 'A_SN1'"):
        measure_information(results, ("A_SN1",))
