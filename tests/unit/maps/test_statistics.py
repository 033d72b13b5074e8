import numpy as np
import pytest

from multifield.maps.statistics import (
    channel_correlations,
    channel_means,
    channel_quantiles,
    channel_spectra,
)
from tests.helpers.tolerances import SPECTRUM_RTOL


@pytest.fixture
def x(rng):
    return rng.normal(1, 2, (5, 3, 16, 16)).astype(np.float32)


@pytest.mark.parametrize("n_levels", [1, 2, 7, 20])
def test_quantiles_are_numpys(x, n_levels):
    for levels in (np.linspace(0, 1, n_levels), (np.arange(n_levels) + 0.5) / n_levels):
        found = channel_quantiles(x, levels).reshape(5, 3, n_levels)
        expected = np.quantile(x.astype(np.float64).reshape(5, 3, -1), levels, axis=2)
        np.testing.assert_allclose(found, np.moveaxis(expected, 0, 2), rtol=1e-14, atol=1e-14)


def test_correlations_are_numpys(x):
    x[:, 1] += 3 * x[:, 0]
    found = channel_correlations(x)
    for one, row in zip(x, found, strict=True):
        matrix = np.corrcoef(one.reshape(3, -1).astype(np.float64))
        np.testing.assert_allclose(row, [matrix[0, 1], matrix[0, 2], matrix[1, 2]], rtol=1e-12)


def test_an_even_channel_is_correlated_with_none(x):
    x[:, 1] = 4
    np.testing.assert_array_equal(channel_correlations(x)[:, [0, 2]], 0)


def test_of_one_channel_there_is_no_pair(x):
    assert channel_correlations(x[:, :1]).shape == (5, 0)


def test_means_are_of_each_channel(x):
    np.testing.assert_allclose(channel_means(x), x.astype(np.float64).mean(axis=(2, 3)))


def test_spectra_are_channel_after_channel(x):
    both = channel_spectra(x, 4)
    for channel in range(3):
        alone = channel_spectra(x[:, channel : channel + 1].copy(), 4)
        np.testing.assert_allclose(
            both[:, 4 * channel : 4 * channel + 4], alone, rtol=SPECTRUM_RTOL
        )
