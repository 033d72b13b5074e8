import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.kernel_inputs import FEW, positive_maps

N_MAPS, SIDE = 5, 37  # 6,845 pixels: several blocks of 1,024 and a remainder


class TestFindInvalid:
    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, -1.0, -1e-45])
    @pytest.mark.parametrize("allow_zero", [False, True])
    @FEW
    @given(place=st.integers(0, N_MAPS * SIDE**2 - 1), n_threads=st.sampled_from([1, 2, 7]))
    def test_finds_the_pixel(self, kernels, bad, allow_zero, place, n_threads):
        maps = positive_maps(1, N_MAPS, SIDE)
        maps.flat[place] = bad
        assert kernels.find_invalid(maps, allow_zero, n_threads) == place

    @pytest.mark.parametrize("n_threads", [1, 2, 7])
    def test_the_first_of_many(self, kernels, n_threads):
        maps = positive_maps(2, N_MAPS, SIDE)
        maps.flat[[4000, 1500, 6844]] = np.nan
        assert kernels.find_invalid(maps, True, n_threads) == 1500

    @pytest.mark.parametrize("zero", [0.0, -0.0])
    def test_zero(self, kernels, zero):
        maps = positive_maps(3, 1, SIDE)
        maps[0, 3, 5] = zero
        assert kernels.find_invalid(maps, True) == -1
        assert kernels.find_invalid(maps, False) == 3 * SIDE + 5

    def test_ends_of_float_are_valid(self, kernels):
        ends = np.array([1e-45, np.finfo(np.float32).max] * 2, np.float32).reshape(1, 2, 2)
        assert kernels.find_invalid(ends, False) == -1

    def test_no_maps(self, kernels):
        assert kernels.find_invalid(np.empty((0, 3, 3), np.float32), False) == -1
