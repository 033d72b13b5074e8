"""Other Python threads go on while a kernel runs, and cannot harm it."""

import sys
import threading
import time

import mapkernels
import numpy as np
import pytest

from tests.helpers.kernel_inputs import positive_maps
from tests.kernels.test_deposit_slabs import random_displacement
from tests.kernels.test_gather import draw

pytestmark = pytest.mark.usefixtures("compiled")  # with every set of instructions

PATIENCE = 5.0  # [s] this process may compute; the other thread needs one moment of it
TICK = 1e-4  # [s]
FOREVER = 3600.0  # [s] longer than any test

MAPS = positive_maps(9, 16, 256)
OUT = np.empty_like(MAPS)
MOMENTS = np.empty((len(MAPS), 3))
SLABS = np.empty((2, 15, 64, 64), np.float32)
DISPLACEMENT = random_displacement(9, 16)
SPEED = np.ones((16, 16, 16), np.float32)
MESH = np.ones((96, 96, 96), np.float32)
BATCH = draw(9, 256, 16, 1)

CALLS = {
    "gaussian_smooth": lambda: mapkernels.gaussian_smooth(MAPS, OUT, 2.0),
    "log10": lambda: mapkernels.log10(MAPS, OUT),
    "log10p1": lambda: mapkernels.log10p1(MAPS, OUT),
    "map_moments": lambda: mapkernels.map_moments(MAPS, MOMENTS),
    "remove_monopole": lambda: mapkernels.remove_monopole(MAPS, OUT),
    "find_invalid": lambda: mapkernels.find_invalid(MAPS, False),
    "preprocess": lambda: mapkernels.preprocess(MAPS, OUT, MOMENTS, 2.0, False, True),
    "gather": lambda: mapkernels.gather(*BATCH, OUT[:, None]),
    "deposit_slabs": lambda: mapkernels.deposit_slabs(DISPLACEMENT, SPEED, 4, *SLABS),
    "deposit_mesh": lambda: mapkernels.deposit_mesh(DISPLACEMENT, MESH),
    "accelerate": lambda: mapkernels.accelerate(DISPLACEMENT, MESH, np.empty_like(DISPLACEMENT)),
}


class Ticker:
    """A thread that counts and acts, and needs the GIL for each count."""

    def __init__(self):
        self.ticks = 0
        self.stopped = False
        self.act = lambda: None
        self.thread = threading.Thread(target=self.count)

    def count(self):
        while not self.stopped:
            time.sleep(TICK)
            self.act()
            self.ticks += 1


@pytest.fixture
def ticker():
    """One that gets the GIL only when it is released, and never because it has waited for it."""
    ticker, interval = Ticker(), sys.getswitchinterval()
    sys.setswitchinterval(FOREVER)
    ticker.thread.start()
    yield ticker
    ticker.stopped = True
    ticker.thread.join()
    sys.setswitchinterval(interval)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_another_thread_goes_on_during_a_kernel(ticker, call):
    before, deadline = ticker.ticks, time.process_time() + PATIENCE
    while ticker.ticks == before and time.process_time() < deadline:
        call()
    assert ticker.ticks > before


def test_nothing_else_lets_the_ticker_go_on(ticker):
    """Else the test above would pass with kernels that keep the GIL; combine_moments does."""
    before, deadline = ticker.ticks, time.monotonic() + 100 * TICK
    while time.monotonic() < deadline:
        mapkernels.combine_moments(MOMENTS)
    assert ticker.ticks == before


@pytest.mark.parametrize("changed", range(5), ids=["index", "orientation", "shift", "mean", "std"])
def test_gather_reads_what_it_has_checked(ticker, changed):
    """Not what another thread has written into its arguments since."""
    fields, *arrays = draw(10, 256, 16, 1)
    out, expected = np.empty((2, 16, 1, 256, 256), np.float32)
    mapkernels.gather(fields, *arrays, expected)
    checked = arrays[changed].copy()
    ticker.act = lambda: np.copyto(arrays[changed], 7)  # no map 7
    before, deadline = ticker.ticks, time.process_time() + PATIENCE
    while ticker.ticks < before + 20 and time.process_time() < deadline:
        np.copyto(arrays[changed], checked)
        mapkernels.gather(fields, *arrays, out)
        np.testing.assert_array_equal(out, expected)


def test_deposit_slabs_reads_what_it_has_checked(ticker):
    displacement = random_displacement(9, 5)  # so few values that NumPy copies them with the GIL
    checked, expected = displacement.copy(), np.empty_like(SLABS)
    speed = np.ones((5, 5, 5), np.float32)
    mapkernels.deposit_slabs(checked, speed, 12, *expected)
    ticker.act = lambda: displacement.fill(np.nan)
    before, deadline = ticker.ticks, time.process_time() + PATIENCE
    while ticker.ticks < before + 20 and time.process_time() < deadline:
        np.copyto(displacement, checked)
        mapkernels.deposit_slabs(displacement, speed, 12, *SLABS)
        np.testing.assert_array_equal(SLABS, expected)
