"""A progress bar on a terminal, one line in the log elsewhere."""

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

logger = logging.getLogger(__name__)

LOG_PERIOD = 60.0  # [s] between two lines of a log


@contextmanager
def progress(
    description: str, total: int, unit: str, completed: int = 0
) -> Iterator[Callable[[int], None]]:
    """Show how far a loop is, on stderr.

    Parameters
    ----------
    description : str
        What is done, such as ``preprocess Mtot``.
    total : int
        How many units make it whole.
    unit : str
        Plural noun, such as ``maps``; ``bytes`` are shown with their rate.
    completed : int, optional
        How many were done before; they count for no rate.

    Yields
    ------
    advance : callable
        To be called with the number of units done since the last call.
    """
    start = time.monotonic()
    if sys.stderr.isatty():
        with Progress(*_columns(unit), console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(description, total=total, completed=completed)
            yield lambda done: bar.advance(task, done)
    else:
        yield _LogLines(description, total, unit, completed).advance
    logger.info("%s: %d %s in %.1f s", description, total, unit, time.monotonic() - start)


def _columns(unit: str) -> tuple[ProgressColumn, ...]:
    counts: tuple[ProgressColumn, ...] = (MofNCompleteColumn(), TextColumn(unit))
    if unit == "bytes":
        counts = (DownloadColumn(), TransferSpeedColumn())
    return (TextColumn("{task.description}"), BarColumn(), *counts, TimeRemainingColumn())


class _LogLines:
    """A line in the log now and then: done, rate and time left. Threads may share it."""

    def __init__(self, description: str, total: int, unit: str, completed: int) -> None:
        self._description, self._total, self._unit = description, total, unit
        self._before, self._completed = completed, completed
        self._start = self._logged = time.monotonic()
        self._lock = threading.Lock()

    def advance(self, done: int) -> None:
        """Count; log if the last line is old."""
        with self._lock:
            self._completed += done
            now = time.monotonic()
            if now - self._logged < LOG_PERIOD:
                return
            self._logged = now
            rate = max(self._completed - self._before, 0) / (now - self._start)
        left = (
            f"{(self._total - self._completed) / rate:.0f} s left" if rate else "time left unknown"
        )
        logger.info(
            "%s: %d/%d %s, %.3g %s/s, %s",
            self._description,
            self._completed,
            self._total,
            self._unit,
            rate,
            self._unit,
            left,
        )
