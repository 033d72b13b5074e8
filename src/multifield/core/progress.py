"""Progress bars in a terminal or notebook; elsewhere a log line after 5 s and per minute."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import rich
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

from multifield.core.notebook_bars import NotebookBars, in_notebook

logger = logging.getLogger(__name__)

LOG_PERIOD = 60.0  # [s] between two log lines
FIRST_LINE = 5.0  # [s] after the start, so that a long task says soon what it does
RATE_PERIOD = 3600.0  # [s] over which the rate is averaged


def make_bars(*columns: ProgressColumn, console: Console | None = None, **options: Any) -> Progress:
    """Make progress bars for a terminal or a notebook. Elsewhere they count without output.

    Parameters
    ----------
    *columns : ProgressColumn
        Columns of each bar.
    console : Console, optional
        Console to show the bars on. If not given, the console of the log, or standard error if the
        log does not go to a terminal.
    **options
        Other arguments of `rich.progress.Progress`.

    Returns
    -------
    bars : Progress
        Progress bars, not started.
    """
    options.setdefault("speed_estimate_period", RATE_PERIOD)
    if console is None and in_notebook():
        return NotebookBars(*columns, **options)
    if console is None:
        console = rich.get_console()
        console = console if console.is_terminal else Console(stderr=True)
    is_live = console.is_terminal and not console.is_dumb_terminal
    options.setdefault("refresh_per_second", 2)
    return Progress(*columns, console=console, disable=not is_live, **options)


@contextmanager
def progress(
    description: str, total: int, unit: str, completed: int = 0
) -> Iterator[Callable[[int], None]]:
    """Show the progress of a loop.

    Parameters
    ----------
    description : str
        Name of the task, such as ``preprocess Mtot``.
    total : int
        Number of units of the whole task.
    unit : str
        Plural noun, such as ``maps``. ``bytes`` are shown with their rate.
    completed : int, optional
        Number of units completed before. They do not count in the rate.

    Yields
    ------
    advance : callable
        Function that takes the number of units completed since the last call. Threads may share it.
    """
    start = time.monotonic()
    logged = start - LOG_PERIOD + min(FIRST_LINE, LOG_PERIOD)
    bars = make_bars(*_columns(unit), transient=True)
    bar = bars.add_task(description, total=total, completed=completed)

    def advance(done: int) -> None:
        nonlocal logged
        bars.advance(bar, done)
        if bars.disable and time.monotonic() - logged >= LOG_PERIOD:
            logged, task = time.monotonic(), bars.tasks[0]
            rate = f"{task.speed:.3g} {unit}/s, " if task.speed else ""
            left = "unknown" if task.time_remaining is None else f"{task.time_remaining:.0f} s"
            done_of_all = f"{task.completed:.0f}/{total} {unit}"
            logger.info("%s: %s, %stime left: %s", description, done_of_all, rate, left)

    with bars:
        yield advance
    logger.info("%s: %d %s in %.1f s", description, total, unit, time.monotonic() - start)


def _columns(unit: str) -> tuple[ProgressColumn, ...]:
    counts: tuple[ProgressColumn, ...] = (MofNCompleteColumn(), TextColumn(unit))
    if unit == "bytes":
        counts = (DownloadColumn(), TransferSpeedColumn())
    return (TextColumn("{task.description}"), BarColumn(), *counts, TimeRemainingColumn())
