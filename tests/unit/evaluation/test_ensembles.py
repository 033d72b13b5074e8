import numpy as np
import pytest

from multifield import camels
from multifield.evaluation import (
    Results,
    average_networks,
)

ROUNDING = 1e-12  # relative; float64 sums of 15 terms


def test_a_mixture_of_two_networks_by_hand():
    theta, ones = np.zeros((3, 6)), np.ones((3, 6))
    pair = [Results(theta, ones, 3 * ones), Results(theta, 7 * ones, 5 * ones)]
    ensemble = average_networks(pair)
    np.testing.assert_allclose(ensemble.mean, 4, rtol=ROUNDING)
    np.testing.assert_allclose(ensemble.std, np.sqrt((9 + 25) / 2 + 9), rtol=ROUNDING)


def test_one_network_is_itself(make_results):
    results = make_results(inferred=camels.COSMOLOGY)
    np.testing.assert_allclose(average_networks([results]).std, results.std, rtol=ROUNDING)


def test_networks_on_other_maps_are_refused(make_results):
    with pytest.raises(ValueError, match="got others for network 1"):
        average_networks([make_results(), make_results(seed=1)])


def test_no_network_is_refused():
    with pytest.raises(ValueError, match="at least one network"):
        average_networks([])
