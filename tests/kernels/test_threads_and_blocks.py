"""Bit for bit: the answer depends neither on the threads nor on how the maps are cut."""

import itertools

import numpy as np
import pytest

from tests.helpers.kernel_inputs import fresh, moments_of, positive_maps, preprocessed
from tests.kernels.test_deposit_slabs import deposited, random_displacement
from tests.kernels.test_gather import draw, gathered

MAPS = positive_maps(7, 11, 33)
BLOCKS = [[0, 11], [0, 1, 11], [0, 4, 8, 11], list(range(12))]
WIDTHS = [0.0, 0.5, 1.0, 2.0, 5.0, 20.0]  # the last kernel reaches 80 pixels, beyond the map

RUNS = {
    "log10": lambda k, maps, n: fresh(k.log10, maps, n),
    "log10p1": lambda k, maps, n: fresh(k.log10p1, maps, n),
    "remove_monopole": lambda k, maps, n: fresh(k.remove_monopole, maps, n),
    "map_moments": lambda k, maps, n: moments_of(k, maps, n),
}


def smooth(width):
    return lambda k, maps, n: fresh(k.gaussian_smooth, maps, width, n)


def log_maps(width):
    return lambda k, maps, n: preprocessed(k, maps, width, False, True, n)[1]


def moments(width):
    return lambda k, maps, n: preprocessed(k, maps, width, False, True, n)[2]


for _make in (smooth, log_maps, moments):
    RUNS |= {f"{_make.__name__} {width:g}": _make(width) for width in WIDTHS}


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
class TestPerMap:
    @pytest.mark.parametrize("n_threads", [1, 2, 7, 100])
    def test_threads(self, kernels, run, n_threads):
        np.testing.assert_array_equal(run(kernels, MAPS, n_threads), run(kernels, MAPS, 1))

    @pytest.mark.parametrize("edges", BLOCKS, ids=len)
    def test_blocks(self, kernels, run, edges):
        parts = [run(kernels, MAPS[low:high], 2) for low, high in itertools.pairwise(edges)]
        np.testing.assert_array_equal(np.concatenate(parts), run(kernels, MAPS, 1))


@pytest.mark.parametrize("n_threads", [2, 7])
class TestOthers:
    def test_gather(self, kernels, n_threads):
        batch = draw(3, 21, 9, 2)
        np.testing.assert_array_equal(
            gathered(kernels, *batch, n_threads=n_threads), gathered(kernels, *batch)
        )

    def test_deposit_slabs(self, kernels, n_threads):
        displacement = random_displacement(4, 6)
        for many, one in zip(
            deposited(kernels, displacement, 9, 2, n_threads),
            deposited(kernels, displacement, 9, 2),
            strict=True,
        ):
            np.testing.assert_array_equal(many, one)
