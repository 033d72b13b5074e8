"""Maps chosen for their errors or for their truth."""

import numpy as np

from multifield import camels
from multifield.evaluation import (
    Results,
    average_orientations,
    choose_across,
    choose_typical_and_worst,
)

N_MAPS = camels.MAPS_PER_SIMULATION


def with_errors(make_results, sizes):
    """One simulation per size. All its maps have a pull of that size in Omega_m."""
    results = make_results(N_MAPS * len(sizes), ("Omega_m",), n_simulations=len(sizes))
    mean = results.mean.copy()
    mean[:, 0] = results.theta[:, 0] + np.repeat(sizes, N_MAPS) * results.std[:, 0]
    return Results(results.theta, mean, results.std, results.inferred)


def test_typical_and_worst_are_of_different_simulations(make_results):
    typical, worst = choose_typical_and_worst(
        with_errors(make_results, [1.0, 3.0, 0.5, -2.0]), 1, 2
    )
    assert sorted(typical.rows // N_MAPS) == [0, 2]
    assert sorted(worst.rows // N_MAPS) == [1, 3]
    np.testing.assert_allclose(worst.chi2, [9, 4])  # worst first


def test_few_simulations_are_not_shown_twice(make_results):
    typical, worst = choose_typical_and_worst(with_errors(make_results, [1.0, 3.0, 0.5]), 1, 4)
    assert typical.rows // N_MAPS == [0]  # 1.0 is the median
    assert worst.rows // N_MAPS == [1]


def test_orientations_are_combined(make_results):
    once = with_errors(make_results, [1.0, 3.0])
    twice = Results(*(np.tile(t, (2, 1)) for t in (once.theta, once.mean, once.std)), once.inferred)
    typical, _ = choose_typical_and_worst(twice, 2, 1)
    combined = average_orientations(twice, 2)
    np.testing.assert_array_equal(typical.results.mean[0], combined.mean[typical.rows[0]])


def test_maps_across_the_prior_rise_in_the_first_parameter(make_results):
    results = make_results(N_MAPS * 9, n_simulations=9)
    examples = choose_across(results, 1, 3)
    ranked = np.sort(np.unique(results.theta[:, 0]))
    np.testing.assert_array_equal(examples.results.theta[:, 0], ranked[[1, 4, 7]])
    np.testing.assert_array_equal(examples.rows % N_MAPS, 0)


def test_typical_maps_have_a_chi2_near_the_median(make_results):
    typical, _ = choose_typical_and_worst(
        with_errors(make_results, [0.01, 0.9, 1.0, 1.1, 5.0]), 1, 2
    )
    np.testing.assert_allclose(typical.chi2, [1.0, 0.81])  # not 0.0001
