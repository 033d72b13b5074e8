from fractions import Fraction

import numpy as np
import pytest

from multifield.maps.regrid import regrid

EPS32 = float(np.finfo(np.float32).eps)  # the result is rounded once


@pytest.mark.parametrize("n_pixels", [1, 2, 4, 8, 16])
def test_integer_ratios_are_block_means(lognormal_maps, n_pixels):
    block = 16 // n_pixels
    blocks = lognormal_maps.astype(np.float64).reshape(-1, n_pixels, block, n_pixels, block)
    np.testing.assert_allclose(
        regrid(lognormal_maps, n_pixels), blocks.mean(axis=(2, 4)), rtol=EPS32
    )


@pytest.mark.parametrize("n_pixels", [3, 7, 15, 16, 23])
def test_the_mean_of_each_map_is_preserved(lognormal_maps, n_pixels):
    found = regrid(lognormal_maps, n_pixels).astype(np.float64)
    expected = lognormal_maps.astype(np.float64)
    np.testing.assert_allclose(found.mean((1, 2)), expected.mean((1, 2)), rtol=EPS32)


@pytest.mark.parametrize("n_pixels", [2, 3, 5, 7])
def test_non_integer_ratios_equal_exact_sums(n_pixels):
    """Each old pixel is split into n x n equal parts, which fit into the new pixels."""
    maps = np.arange(1, 26, dtype=np.float32).reshape(1, 5, 5)
    parts = np.repeat(np.repeat(maps[0], n_pixels, axis=0), n_pixels, axis=1).astype(int)
    expected = [
        [
            float(Fraction(int(parts[5 * i : 5 * i + 5, 5 * j : 5 * j + 5].sum()), 25))
            for j in range(n_pixels)
        ]
        for i in range(n_pixels)
    ]
    np.testing.assert_allclose(regrid(maps, n_pixels)[0], expected, rtol=EPS32)


def test_large_densities_do_not_overflow():
    maps = np.full((1, 8, 8), 3e38, np.float32)
    np.testing.assert_array_equal(regrid(maps, 3), np.full((1, 3, 3), 3e38, np.float32))
