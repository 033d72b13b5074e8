import numpy as np
import pytest

from tests.helpers import tolerances
from tests.helpers.kernel_inputs import fresh, positive_maps

SIDE = 700  # 490,000 floats


def square(values: np.ndarray) -> np.ndarray:
    return np.resize(values, (1, SIDE, SIDE)).astype(np.float32)


def floats_between(low: float, high: float) -> np.ndarray:
    """Floats of every binade between two positive ones, spread evenly over their bits."""
    first, last = np.array([low, high], np.float32).view(np.uint32)
    return np.linspace(first, last, SIDE**2).astype(np.uint32).view(np.float32)


def error_in_ulp(ours: np.ndarray, answer: np.ndarray) -> np.ndarray:
    return np.abs(ours - answer) / np.spacing(np.abs(answer).astype(np.float32)).astype(np.float64)


class TestLog10:
    @pytest.mark.parametrize(
        ("low", "high"), [(1e-45, 3.4e38), (0.2, 5), (0.99, 1.01), (1e-45, 1e-37), (1e37, 3.4e38)]
    )
    def test_two_ulp(self, kernels, low, high):
        x = square(floats_between(low, high))
        answer = np.log10(x.astype(np.float64))
        assert error_in_ulp(fresh(kernels.log10, x), answer).max() <= tolerances.LOG_ULP

    def test_powers_of_ten(self, kernels):
        exponents = np.arange(-37, 39)
        x = square(10.0**exponents)
        np.testing.assert_array_equal(fresh(kernels.log10, x).flat[: len(exponents)], exponents)

    def test_ends(self, kernels):
        x = np.array([0, -0.0, -1, -np.inf, np.inf, np.nan, 1, -1e-45, 10], np.float32)
        expected = [-np.inf, -np.inf, np.nan, np.nan, np.inf, np.nan, 0, np.nan, 1]
        np.testing.assert_array_equal(fresh(kernels.log10, x.reshape(1, 3, 3)).ravel(), expected)

    def test_a_bad_pixel_changes_no_other(self, kernels):
        maps = positive_maps(1, 1, 50)
        clean = fresh(kernels.log10, maps)
        maps[0, 20, 30] = clean[0, 20, 30] = np.nan
        np.testing.assert_array_equal(fresh(kernels.log10, maps), clean)


class TestLog10OfOnePlus:
    @pytest.mark.parametrize(
        ("low", "high"), [(1e-45, 3.4e38), (1e-9, 1e-5), (1e-5, 1), (1, 2e7), (1e-45, 1e-37)]
    )
    def test_two_ulp(self, kernels, low, high):
        x = square(floats_between(low, high))
        answer = np.log1p(x.astype(np.float64)) / np.log(10)
        assert error_in_ulp(fresh(kernels.log10p1, x), answer).max() <= tolerances.LOG_ULP

    @pytest.mark.parametrize(("low", "high"), [(1e-9, 1e-5), (1e-5, 0.99999994)])
    def test_two_ulp_below_zero(self, kernels, low, high):
        x = -square(floats_between(low, high))
        answer = np.log1p(x.astype(np.float64)) / np.log(10)
        assert error_in_ulp(fresh(kernels.log10p1, x), answer).max() <= tolerances.LOG_ULP

    def test_ends(self, kernels):
        x = np.array([0, -0.0, -1, -np.inf, np.inf, np.nan, 9, -1.5, 99], np.float32)
        expected = [0, 0, -np.inf, np.nan, np.inf, np.nan, 1, np.nan, 2]
        np.testing.assert_array_equal(fresh(kernels.log10p1, x.reshape(1, 3, 3)).ravel(), expected)


@pytest.mark.parametrize("name", ["log10", "log10p1"])
class TestOutput:
    def test_in_place(self, kernels, name):
        kernel = getattr(kernels, name)
        maps = positive_maps(2, 2, 37)
        expected = fresh(kernel, maps)
        kernel(maps, maps)
        np.testing.assert_array_equal(maps, expected)

    def test_no_maps(self, kernels, name):
        assert fresh(getattr(kernels, name), np.empty((0, 3, 3), np.float32)).size == 0
