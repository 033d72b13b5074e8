"""The p-value is uniform for sets that are alike, and small for others."""

import numpy as np
import pytest
from scipy.stats import kstest

from multifield.evaluation.two_sample import compare_sets


def draw(rng, n_simulations, shift=0.0, scale=1.0, n_maps=3, n_features=5):
    """Draw features that all maps of a simulation mostly share."""
    shared = rng.normal(shift, scale, (n_simulations, 1, n_features))
    return shared + rng.normal(0, 0.3, (n_simulations, n_maps, n_features))


def p_values(n, *, n_maps=3, as_one_map_each=False, **changed):
    found = []
    for seed in range(n):
        rng = np.random.default_rng(seed)
        sets = draw(rng, 15, n_maps=n_maps), draw(rng, 8, n_maps=n_maps, **changed)
        if as_one_map_each:
            sets = tuple(each.reshape(-1, 1, each.shape[2]) for each in sets)
        found.append(compare_sets(*sets, n_permutations=99, seed=seed).p_value)
    return np.array(found)


def test_p_values_are_uniform_if_the_sets_are_alike():
    """Over 600 pairs of sets the share below 0.1 is known to 0.012."""
    found = p_values(600)
    assert kstest(found, "uniform").pvalue > 0.01
    assert np.mean(found <= 0.1) == pytest.approx(0.1, abs=0.04)


def test_permuting_maps_of_a_simulation_alone_would_find_differences_everywhere():
    assert np.mean(p_values(40, as_one_map_each=True) <= 0.05) > 0.4


@pytest.mark.parametrize("changed", [{"shift": 1.0}, {"scale": 3.0}])
def test_other_sets_are_found(changed):
    assert np.mean(p_values(40, **changed) <= 0.05) > 0.8


def test_a_shift_between_correlated_features_is_found():
    """A second feature repeats the first, whose spread is five times the shift."""
    rng = np.random.default_rng(0)
    sets = [rng.normal(0, 10, (n, 3, 1)) + rng.normal(0, 1, (n, 3, 2)) for n in (30, 20)]
    sets[1][..., 0] += 2
    assert compare_sets(*sets).p_value < 0.01


def test_the_discrepancy_by_hand():
    """Two sets of one map each, at one distance, which is the median: k = exp(-1/2)."""
    found = compare_sets(np.zeros((1, 1, 2)), np.ones((1, 1, 2)), n_permutations=9)
    assert found.mmd == pytest.approx(np.sqrt(2 - 2 * np.exp(-0.5)))
    assert (found.mmd_alike, found.p_value) == (pytest.approx(found.mmd), 1.0)


def test_the_unit_of_a_feature_does_not_matter():
    rng = np.random.default_rng(0)
    sets = draw(rng, 15), draw(rng, 8, shift=0.5)
    units = np.array([1, 1e3, 1e-3, 10, 1])
    expected, found = compare_sets(*sets), compare_sets(*(each * units for each in sets))
    assert found.mmd == pytest.approx(expected.mmd)
    assert found.p_value == expected.p_value


def test_equal_maps_are_alike():
    same = np.full((4, 2, 3), 7.0)
    assert compare_sets(same, same[:2]).p_value == 1.0
