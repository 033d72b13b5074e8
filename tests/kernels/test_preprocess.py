import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multifield.maps.memory import open_maps, place_in_file
from tests.helpers.kernel_inputs import (
    FEW,
    SEEDS,
    SIDES,
    fresh,
    moments_of,
    positive_maps,
    preprocessed,
)


def composed(kernels, maps, width, plus_one, remove_monopole):
    """The separate kernels, one after another."""
    log_maps = fresh(kernels.gaussian_smooth, maps, width)
    log_maps = fresh(kernels.log10p1 if plus_one else kernels.log10, log_maps)
    if remove_monopole:
        log_maps = fresh(kernels.remove_monopole, log_maps)
    return log_maps, moments_of(kernels, log_maps)


class TestPreprocess:
    @FEW
    @given(
        seed=SEEDS,
        side=SIDES,
        width=st.sampled_from([0.0, 0.7, 2.0, 15.0]),
        plus_one=st.booleans(),
        remove_monopole=st.booleans(),
        n_threads=st.sampled_from([1, 2, 7]),
    )
    def test_equals_the_separate_kernels(
        self, kernels, seed, side, width, plus_one, remove_monopole, n_threads
    ):
        maps = positive_maps(seed, 3, side)
        steps = (width, plus_one, remove_monopole)
        first, log_maps, moments = preprocessed(kernels, maps, *steps, n_threads)
        expected_maps, expected_moments = composed(kernels, maps, *steps)
        assert first == -1
        np.testing.assert_array_equal(log_maps, expected_maps)
        np.testing.assert_array_equal(moments, expected_moments)

    @pytest.mark.parametrize("width", [0.0, 2.0])
    def test_moments_alone(self, kernels, width):
        maps = positive_maps(1, 4, 30)
        moments = np.empty((4, 3))
        assert kernels.preprocess(maps, None, moments, width, False, True) == -1
        np.testing.assert_array_equal(moments, preprocessed(kernels, maps, width, False, True)[2])

    @pytest.mark.parametrize("n_threads", [1, 3])
    def test_the_maps_of_a_file(self, kernels, tmp_path, n_threads):
        np.save(tmp_path / "maps.npy", positive_maps(7, 5, 11))
        maps = open_maps(tmp_path / "maps.npy")[1:]
        steps, file = (1.5, False, True), place_in_file(maps)
        assert file is not None
        ours = preprocessed(kernels, maps, *steps, n_threads, file)
        for found, expected in zip(
            ours, preprocessed(kernels, np.array(maps), *steps), strict=True
        ):
            np.testing.assert_array_equal(found, expected)

    def test_no_maps(self, kernels):
        maps = np.empty((0, 4, 4), np.float32)
        assert preprocessed(kernels, maps, 1.0, False, False)[0] == -1

    def test_input_is_unchanged(self, kernels):
        maps = positive_maps(2, 2, 10)
        before = maps.copy()
        preprocessed(kernels, maps, 1.5, False, True)
        np.testing.assert_array_equal(maps, before)


@pytest.mark.parametrize("n_threads", [1, 2, 7])
class TestBadPixels:
    @pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0, -0.5])
    @pytest.mark.parametrize("width", [0.0, 2.0])
    @pytest.mark.parametrize("plus_one", [False, True])
    def test_raw_pixel(self, kernels, n_threads, bad, width, plus_one):
        maps = positive_maps(3, 6, 20)
        maps.flat[[987, 1234, 2001]] = bad
        assert preprocessed(kernels, maps, width, plus_one, False, n_threads)[0] == 987

    def test_zero_has_no_logarithm(self, kernels, n_threads):
        maps = positive_maps(4, 3, 20)
        maps.flat[[500, 900]] = 0
        assert preprocessed(kernels, maps, 0.0, False, False, n_threads)[0] == 500

    def test_zero_of_one_plus_x(self, kernels, n_threads):
        maps = np.zeros((3, 4, 4), np.float32)
        first, log_maps, _ = preprocessed(kernels, maps, 1.0, True, False, n_threads)
        assert first == -1
        np.testing.assert_array_equal(log_maps, 0)

    def test_smoothing_fills_a_zero(self, kernels, n_threads):
        maps = positive_maps(5, 3, 20)
        maps.flat[500] = 0
        assert preprocessed(kernels, maps, 1.0, False, False, n_threads)[0] == -1

    def test_hole_wider_than_the_kernel(self, kernels, n_threads):
        maps = positive_maps(6, 2, 30)
        maps[1, 5:20, 5:20] = 0  # a kernel of radius 4 reaches all but rows and columns 9 to 15
        assert preprocessed(kernels, maps, 1.0, False, False, n_threads)[0] == 900 + 9 * 30 + 9

    def test_a_raw_pixel_before_a_smoothed_one_of_its_map(self, kernels, n_threads):
        maps = np.zeros((2, 30, 30), np.float32)
        maps[0] = 1
        maps[1, 20, 20] = -1
        assert preprocessed(kernels, maps, 1.0, False, False, n_threads)[0] == 900 + 20 * 30 + 20
