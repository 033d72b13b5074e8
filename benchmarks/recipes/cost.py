"""What a training costs."""

import time
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import torch

from multifield.training import EpochLosses

N_TIMED = {"cpu": 2, "cuda": 4}  # epochs from which the cost of one is taken
N_TURNS = {"cpu": 2, "cuda": 1}  # in which they are timed


class Clock:
    """Time of a training, which it is told of as `report`.

    On a CPU it is the time of the processor, from the making of the clock to its stop. On a GPU it is that of
    a clock on the wall, all work on the device done, from the end of the first epoch on: before it, networks
    are compiled, cuDNN tries its algorithms, maps are brought to the device and statistics computed, which
    takes as long for a short training as for a long one.

    Parameters
    ----------
    device : {"cpu", "cuda"}
    meet : callable
        Called at the end of the first epoch: waits for trainings beside this one, if there are any.
    """

    def __init__(self, device: str, meet: Callable[[], object]) -> None:
        self._device, self._meet = device, meet
        self._ends: list[float] = []  # of epochs
        self._start = self._now()

    def _now(self) -> float:
        if self._device == "cpu":
            return time.process_time()
        torch.cuda.synchronize()
        return time.perf_counter()

    def __call__(self, epoch: int, losses: EpochLosses) -> None:
        """Note the end of an epoch."""
        if epoch == 0:
            self._meet()
        self._ends.append(self._now())

    def stop(self) -> None:
        """Note the end of the training."""
        self._end = self._now()

    @property
    def cost(self) -> float:
        """Of all epochs, [s]."""
        if self._device == "cpu":
            return self._end - self._start
        return (self._ends[-1] - self._ends[0]) * len(self._ends) / (len(self._ends) - 1)

    @property
    def parts(self) -> "Cost":
        """Take apart what it cost."""
        of_epoch = min(end - start for start, end in pairwise(self._ends))
        if self._device == "cpu":
            return Cost(max(0.0, self._ends[0] - self._start - of_epoch), of_epoch)
        return Cost(0.0, of_epoch)


class Cost(NamedTuple):
    """What a training costs, [s]."""

    once: float  # before the first epoch: statistics of maps, where nothing of them is learned
    of_epoch: float  # of the cheapest, validation included

    def epochs(self, seconds: float) -> int:
        """Count the epochs that fit into so much time, two at least."""
        return max(2, round((seconds - self.once) / self.of_epoch))
