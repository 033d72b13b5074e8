"""Cost of a training."""

import time
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import torch

from multifield.training import EpochLosses

N_TIMED = {"cpu": 2, "cuda": 4}  # epochs that are timed
N_TURNS = {"cpu": 2, "cuda": 1}  # repetitions of the timing


class Clock:
    """Clock of a training, used as its `report` callback.

    On a CPU it measures processor time from creation to `stop`. On a GPU it measures wall-clock
    time from the end of the first epoch, with all work on the device done. The first epoch
    includes compilation, cuDNN's choice of algorithms and the transfer of maps, which do not
    depend on the length of a training.

    Parameters
    ----------
    device : {"cpu", "cuda"}
        Device of the training.
    meet : callable
        Function called at the end of the first epoch, which waits for parallel trainings.
    """

    def __init__(self, device: str, meet: Callable[[], object]) -> None:
        self._device, self._meet = device, meet
        self._ends: list[float] = []  # end of each epoch
        self._start = self._now()

    def _now(self) -> float:
        if self._device == "cpu":
            return time.process_time()
        torch.cuda.synchronize()
        return time.perf_counter()

    def __call__(self, epoch: int, losses: EpochLosses) -> None:
        """Record the end of an epoch."""
        if epoch == 0:
            self._meet()
        self._ends.append(self._now())

    def stop(self) -> None:
        """Record the end of the training."""
        self._end = self._now()

    @property
    def cost(self) -> float:
        """Time of all epochs, [s]."""
        if self._device == "cpu":
            return self._end - self._start
        return (self._ends[-1] - self._ends[0]) * len(self._ends) / (len(self._ends) - 1)

    @property
    def parts(self) -> "Cost":
        """Cost before the first epoch and per epoch."""
        of_epoch = min(end - start for start, end in pairwise(self._ends))
        if self._device == "cpu":
            return Cost(max(0.0, self._ends[0] - self._start - of_epoch), of_epoch)
        return Cost(0.0, of_epoch)


class Cost(NamedTuple):
    """Cost of a training, [s]."""

    once: float  # before the first epoch: statistics of maps, where they are not learned
    of_epoch: float  # cheapest epoch, including validation

    def epochs(self, seconds: float) -> int:
        """Count the epochs that fit into a time, at least two."""
        return max(2, round((seconds - self.once) / self.of_epoch))
