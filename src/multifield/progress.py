"""A progress bar on a terminal, one line in the log elsewhere."""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

logger = logging.getLogger(__name__)


@contextmanager
def progress(description: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    """Show how far a loop is, on stderr.

    Parameters
    ----------
    description : str
        What is done, such as ``preprocess Mtot``.
    total : int
        How many units make it whole.
    unit : str
        Plural noun, such as ``maps``.

    Yields
    ------
    advance : callable
        To be called with the number of units done since the last call.
    """
    start = time.monotonic()
    if sys.stderr.isatty():
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(unit),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(description, total=total)
            yield lambda done: bar.advance(task, done)
    else:
        yield lambda done: None
    logger.info("%s: %d %s in %.1f s", description, total, unit, time.monotonic() - start)
