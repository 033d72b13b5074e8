import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers import tolerances
from tests.helpers.kernel_inputs import FEW, SEEDS, SIDES, fresh, moments_of, positive_maps


def log_maps(seed: int, n_maps: int, side: int) -> np.ndarray:
    """Mean and standard deviation of log10 Mcdm."""
    return np.random.default_rng(seed).normal(11, 0.5, (n_maps, side, side)).astype(np.float32)


class TestMapMoments:
    @FEW
    @given(seed=SEEDS, side=SIDES)
    def test_exact_sums(self, kernels, seed, side):
        maps = log_maps(seed, 2, side)
        for row, pixels in zip(moments_of(kernels, maps), maps.astype(np.float64), strict=True):
            mean = math.fsum(pixels.flat) / pixels.size
            m2 = math.fsum((pixels.ravel() - mean) ** 2)
            np.testing.assert_allclose(row, [pixels.size, mean, m2], rtol=tolerances.MOMENTS_RTOL)

    def test_mean_far_above_the_spread(self, kernels):
        maps = log_maps(1, 1, 64) * np.float32(2**-16) + 1024
        assert moments_of(kernels, maps)[0, 2] == pytest.approx(
            maps[0].size * np.var(maps[0], dtype=np.float64), rel=tolerances.MOMENTS_RTOL
        )

    @pytest.mark.parametrize("first", [1e3, -1e7, 3e30])
    def test_first_pixel_far_from_the_rest(self, kernels, first):
        maps = log_maps(4, 1, 64)
        maps[0, 0, 0] = first
        assert moments_of(kernels, maps)[0, 2] == pytest.approx(
            maps[0].size * np.var(maps[0], dtype=np.float64), rel=tolerances.MOMENTS_RTOL
        )

    def test_constant_map_has_no_spread(self, kernels):
        maps = np.full((1, 19, 19), 0.1, np.float32)
        np.testing.assert_array_equal(moments_of(kernels, maps), [[361, maps[0, 0, 0], 0]])

    def test_no_maps(self, kernels):
        assert moments_of(kernels, np.empty((0, 3, 3), np.float32)).shape == (0, 3)


class TestCombineMoments:
    @FEW
    @given(seed=SEEDS, n_maps=st.integers(1, 9), side=st.integers(1, 12))
    def test_equals_moments_of_all_pixels(self, kernels, seed, n_maps, side):
        maps = log_maps(seed, n_maps, side)
        count, mean, m2 = kernels.combine_moments(moments_of(kernels, maps))
        pixels = maps.astype(np.float64)
        assert count == maps.size
        assert mean == pytest.approx(pixels.mean(), rel=tolerances.MOMENTS_RTOL)
        np.testing.assert_allclose(
            m2, np.sum((pixels - pixels.mean()) ** 2), rtol=tolerances.MOMENTS_RTOL
        )

    def test_nothing(self, kernels):
        assert kernels.combine_moments(np.empty((0, 3))) == (0.0, 0.0, 0.0)

    def test_empty_sets_do_not_count(self, kernels):
        rows = np.array([[0, 0, 0], [2, 5, 3], [0, 0, 0]], np.float64)
        assert kernels.combine_moments(rows) == (2.0, 5.0, 3.0)

    def test_by_hand(self, kernels):
        rows = np.array([[2, 1, 2], [1, 4, 0]], np.float64)  # {0, 2} and {4}
        assert kernels.combine_moments(rows) == pytest.approx(
            (3, 2, 8), rel=tolerances.MOMENTS_RTOL
        )


class TestRemoveMonopole:
    @FEW
    @given(seed=SEEDS, side=SIDES)
    def test_mean_becomes_zero(self, kernels, seed, side):
        means = fresh(kernels.remove_monopole, log_maps(seed, 2, side)).mean((1, 2), np.float64)
        np.testing.assert_allclose(means, 0, atol=tolerances.MONOPOLE_ATOL)

    def test_differences_are_kept(self, kernels):
        maps = log_maps(2, 2, 20)
        answer = maps - maps.mean((1, 2), np.float64, keepdims=True)
        ours = fresh(kernels.remove_monopole, maps)
        np.testing.assert_array_max_ulp(
            ours, answer.astype(np.float32), maxulp=tolerances.ROUNDING_ULP
        )

    def test_in_place(self, kernels):
        maps = positive_maps(3, 2, 11)
        expected = fresh(kernels.remove_monopole, maps)
        kernels.remove_monopole(maps, maps)
        np.testing.assert_array_equal(maps, expected)
