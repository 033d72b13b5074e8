import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from multifield.maps.reference import orient
from tests.helpers import tolerances
from tests.helpers.kernel_inputs import FEW, SEEDS, SIDES, fresh, positive_maps

WIDTHS = st.floats(0.0, 6.0)


class TestAgainstScipy:
    @pytest.mark.parametrize("side", [1, 2, 3, 16, 33, 64])
    @pytest.mark.parametrize("width", [0.0, 0.1, 0.5, 1.0, 2.0, 5.0, 20.0, 100.0])
    def test_float64_answer(self, kernels, side, width):
        maps = positive_maps(1, 2, side)
        smoothed = fresh(kernels.gaussian_smooth, maps, width)
        for ours, raw in zip(smoothed, maps, strict=True):
            answer = ndimage.gaussian_filter(raw.astype(np.float64), width, mode="wrap")
            np.testing.assert_allclose(ours, answer, rtol=tolerances.SMOOTH_RTOL)

    @FEW
    @given(seed=SEEDS, side=SIDES, width=WIDTHS)
    def test_any_shape(self, kernels, seed, side, width):
        maps = positive_maps(seed, 1, side)
        answer = ndimage.gaussian_filter(maps[0].astype(np.float64), width, mode="wrap")
        smoothed = fresh(kernels.gaussian_smooth, maps, width)[0]
        np.testing.assert_allclose(smoothed, answer, rtol=tolerances.SMOOTH_RTOL)


class TestIdentities:
    @FEW
    @given(seed=SEEDS, side=SIDES, width=WIDTHS)
    def test_mean_is_kept(self, kernels, seed, side, width):
        maps = positive_maps(seed, 2, side)
        before = maps.mean(axis=(1, 2), dtype=np.float64)
        after = fresh(kernels.gaussian_smooth, maps, width).mean(axis=(1, 2), dtype=np.float64)
        np.testing.assert_allclose(after, before, rtol=tolerances.SMOOTH_MEAN_RTOL)

    @FEW
    @given(side=SIDES, width=WIDTHS, value=st.floats(-1.7e38, 1.7e38))  # to 2^127, the contract
    def test_constant_map_is_unchanged(self, kernels, side, width, value):
        maps = np.full((1, side, side), value, np.float32)
        smoothed = fresh(kernels.gaussian_smooth, maps, width)
        np.testing.assert_allclose(
            smoothed, maps, rtol=tolerances.SMOOTH_RTOL, atol=tolerances.SMALLEST_NORMAL
        )

    @FEW
    @given(seed=SEEDS, side=SIDES, width=WIDTHS, shift=st.tuples(st.integers(), st.integers()))
    def test_commutes_with_shifts(self, kernels, seed, side, width, shift):
        maps = positive_maps(seed, 1, side)
        shift = (shift[0] % side, shift[1] % side)
        rolled = fresh(kernels.gaussian_smooth, np.roll(maps, shift, (1, 2)), width)
        smoothed = np.roll(fresh(kernels.gaussian_smooth, maps, width), shift, (1, 2))
        np.testing.assert_allclose(rolled, smoothed, rtol=tolerances.SMOOTH_RTOL)

    @pytest.mark.parametrize("orientation", range(8))
    def test_commutes_with_symmetries_of_the_square(self, kernels, orientation):
        maps = positive_maps(2, 1, 21)
        turned = np.ascontiguousarray(orient(maps[0], orientation))[None]
        expected = orient(fresh(kernels.gaussian_smooth, maps, 1.5)[0], orientation)
        ours = fresh(kernels.gaussian_smooth, turned, 1.5)[0]
        np.testing.assert_allclose(ours, expected, rtol=tolerances.SMOOTH_RTOL)

    @FEW
    @given(seed=SEEDS, side=SIDES, width=WIDTHS)
    def test_linear(self, kernels, seed, side, width):
        first, second = np.random.default_rng(seed).normal(size=(2, 1, side, side))
        maps = [m.astype(np.float32) for m in (first, second, 3 * first - 2 * second)]
        a, b, both = (fresh(kernels.gaussian_smooth, m, width) for m in maps)
        scale = 3 * np.abs(maps[0]).max() + 2 * np.abs(maps[1]).max()
        np.testing.assert_allclose(both, 3 * a - 2 * b, atol=tolerances.SMOOTH_RTOL * scale)

    @pytest.mark.parametrize(("first", "second"), [(1.0, 1.0), (1.0, 2.0), (2.0, 2.0), (3.0, 4.0)])
    def test_widths_add_in_squares(self, kernels, first, second):
        maps = positive_maps(3, 2, 64)
        twice = fresh(kernels.gaussian_smooth, fresh(kernels.gaussian_smooth, maps, first), second)
        once = fresh(kernels.gaussian_smooth, maps, float(np.hypot(first, second))).astype(
            np.float64
        )
        distance = np.linalg.norm(twice - once) / np.linalg.norm(once)
        assert distance < tolerances.SMOOTH_SEMIGROUP_L2

    @pytest.mark.parametrize("width", [1.0, 2.0, 4.0])
    def test_transfer_function_is_gaussian(self, kernels, width):
        side = 64
        point = np.zeros((1, side, side), np.float32)
        point[0, 0, 0] = 1
        smoothed = fresh(kernels.gaussian_smooth, point, width)[0].astype(np.float64)
        k = 2 * np.pi * np.fft.fftfreq(side)  # [radians/pixel]
        k2 = k[:, None] ** 2 + k**2
        resolved = k2 < (np.pi / 4) ** 2
        difference = np.fft.fft2(smoothed).real - np.exp(-k2 * width**2 / 2)
        assert np.abs(difference[resolved]).max() < tolerances.SMOOTH_TRANSFER_ATOL

    @pytest.mark.parametrize("width", [0.0, 0.1])
    def test_no_width_is_the_identity(self, kernels, width):
        maps = positive_maps(4, 2, 9)
        np.testing.assert_array_equal(fresh(kernels.gaussian_smooth, maps, width), maps)

    def test_stays_positive(self, kernels):
        maps = np.zeros((1, 32, 32), np.float32)
        maps[0, 3, 4] = 1e-30
        assert fresh(kernels.gaussian_smooth, maps, 2.0).min() >= 0


class TestOutput:
    @pytest.mark.parametrize("width", [0.0, 1.5, 30.0])
    def test_in_place(self, kernels, width):
        maps = positive_maps(5, 3, 17)
        expected = fresh(kernels.gaussian_smooth, maps, width)
        kernels.gaussian_smooth(maps, maps, width)
        np.testing.assert_array_equal(maps, expected)

    def test_no_maps(self, kernels):
        assert fresh(kernels.gaussian_smooth, np.empty((0, 5, 5), np.float32), 1.0).shape[0] == 0

    def test_input_is_unchanged(self, kernels):
        maps = positive_maps(6, 1, 12)
        before = maps.copy()
        fresh(kernels.gaussian_smooth, maps, 2.0)
        np.testing.assert_array_equal(maps, before)
