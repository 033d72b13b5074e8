"""Progress of trainings: bars on a terminal, log lines elsewhere."""

import logging
import math
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn

from multifield.core.progress import LOG_PERIOD, make_bars
from multifield.training.loop import EpochLosses

logger = logging.getLogger(__name__)


class TrainingProgress:
    """Show the progress of several trainings, the best result and the remaining time.

    Use it as a context. On a terminal, each running training has a bar. Elsewhere, each training
    logs a line when it ends. Epochs log at most one line per `LOG_PERIOD` for all trainings.

    Parameters
    ----------
    what : str
        Plural noun, such as ``trials``.
    n_total : int
        Number of trainings.
    epochs : int
        Number of epochs per training.
    console : rich.console.Console, optional
        Where to show the bars; see `multifield.core.progress.make_bars`.
    clock : callable, optional
        Function that returns the time [s].
    """

    def __init__(
        self,
        what: str,
        n_total: int,
        epochs: int,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what, self._n_total, self._epochs, self._clock = what, n_total, epochs, clock
        self._noun = what.removesuffix("s")
        self._bars = make_bars(
            TextColumn("{task.description}"),
            BarColumn(bar_width=8),
            MofNCompleteColumn(),  # epochs
            TextColumn("{task.fields[loss]}{task.fields[about]}"),
            console=console,
            get_time=clock,
        )
        self._left = float(n_total * epochs)  # [epochs]
        self._all = self._bars.add_task("", total=self._left, loss="", about="")
        self._bar_of: dict[str, TaskID] = {}
        self._epochs_of: dict[str, float] = {}  # finished epochs of each running training
        self._done = 0.0  # [epochs] of this run
        self._n_finished, self._logged, self._best = 0, clock(), ""
        self._count(0.0, left_out=0.0)

    def __enter__(self) -> "TrainingProgress":
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def skip(self, n: int = 1) -> None:
        """Count trainings that are finished already."""
        self._n_finished += n
        self._count(0.0, left_out=float(n * self._epochs))

    def begin(self, name: str, about: str = "") -> None:
        """Add the bar of a training, with a description."""
        self._epochs_of[name] = 0.0
        self._bar_of[name] = self._bars.add_task(
            f"{self._noun} {name}", total=self._epochs, loss="", about=about
        )

    def on_epoch(self, name: str, epoch: int, losses: EpochLosses) -> None:
        """Show one more epoch. Off a terminal, log it if the last line is old enough."""
        self._move(name, float(epoch + 1), f"valid loss {losses.valid:.4f}")
        if name in self._bar_of:
            self._bars.update(self._bar_of[name], loss=f"{losses.valid:.3f}, ")

    def on_step(self, name: str, done: float) -> None:
        """Show a part of an epoch, from the number of finished epochs, such as 3.25."""
        self._move(name, done, f"{done - math.ceil(done) + 1:.0%} of its steps")

    def end(self, name: str, result: str, best: str = "") -> None:
        """Remove the bar of a training. Off a terminal, log its result and the best one."""
        self._n_finished += 1
        self._best = f"; best: {best}" if best else ""
        self._count(0.0, left_out=self._epochs - self._epochs_of.pop(name))
        self._bars.remove_task(self._bar_of.pop(name))
        self._log(f"{name}: {result}{self._best}")

    def reports(self, name: str) -> dict[str, Any]:
        """Return `on_epoch` and `on_step` of a training as arguments of `run_task`."""
        return {"on_epoch": partial(self.on_epoch, name), "on_step": partial(self.on_step, name)}

    def summary(self) -> str:
        """Return the number of finished and running trainings, and the remaining time."""
        finished = f"{self._n_finished} of {self._n_total} {self._what} finished"
        return f"{finished}, {len(self._bar_of)} running{self._time_left()}"

    def _move(self, name: str, done: float, what: str) -> None:
        before = self._epochs_of.get(name)
        if before is None:
            return  # a late report of another process
        new = max(done - before, 0.0)
        earlier = 0.0 if before else max(math.ceil(new) - 1.0, 0.0)  # epochs of an earlier run
        self._count(new - earlier, left_out=earlier)
        self._epochs_of[name] = max(done, before)
        self._bars.update(self._bar_of[name], completed=done)
        if self._clock() - self._logged >= LOG_PERIOD:
            self._log(f"{name}: epoch {math.ceil(done)} of {self._epochs}, {what}")

    def _time_left(self) -> str:
        left = self._bars.tasks[0].time_remaining
        return f", about {timedelta(seconds=round(left))} left" if left else ""

    def _count(self, done: float, left_out: float) -> None:
        """Count epochs of this run, and exclude epochs that it need not do."""
        self._left = round(self._left - left_out, 6)
        self._done = round(self._done + done, 6)  # parts of an epoch add up to whole ones
        self._bars.update(self._all, completed=self._done, total=self._left)
        about = f"epochs{self._time_left()}{self._best}"
        done_of_all = f"{self._n_finished} of {self._n_total} {self._what}"
        self._bars.update(self._all, description=done_of_all, about=about)

    def _log(self, line: str) -> None:
        if self._bars.disable:
            self._logged = self._clock()
            logger.info("%s %s; %s", self._noun.capitalize(), line, self.summary())
