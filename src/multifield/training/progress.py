"""How far trainings are: a live table on a terminal, lines in a log elsewhere."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from types import TracebackType

import rich
from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from multifield.training.loop import EpochLosses

LOG_PERIOD = 60.0  # [s] between two lines of a log about epochs
N_ROWS = 12  # running trainings in the table

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Row:
    """A training in the table.

    Attributes
    ----------
    name : str
        Number of the trial, or name of the network.
    values : sequence of str
        What the columns of the table say of it.
    epoch : int or None
        Last epoch that ended, counted from 0.
    losses : EpochLosses or None
        Losses of that epoch.
    first : int or None
        First epoch that ended in this run.
    """

    name: str
    values: Sequence[str] = ()
    epoch: int | None = None
    losses: EpochLosses | None = None
    first: int | None = None


@dataclass
class TrainingProgress:
    """Show the trainings of a run: those finished, those running, the best, and the time left.

    Use as a context. On a terminal a table is shown while the context lasts. Elsewhere each training
    logs a line when it ends, and the epochs of all together at most one line per `LOG_PERIOD`.

    Parameters
    ----------
    what : str
        Plural noun, such as ``trials``.
    n_total : int
        Number of trainings.
    epochs : int
        Epochs of each.
    columns : sequence of str, optional
        Names of the columns that `begin` gives values for.
    console : rich.console.Console, optional
        Where to show. If not given, that of the log, or standard error where the log goes to no terminal.
    clock : callable, optional
        Returns the time [s] from any moment on.
    """

    what: str
    n_total: int
    epochs: int
    columns: Sequence[str] = ()
    console: Console | None = None
    clock: Callable[[], float] = time.monotonic
    _running: dict[str, Row] = field(default_factory=dict, init=False)
    _best: Row | None = field(default=None, init=False)
    _n_finished: int = field(default=0, init=False)
    _done_here: float = field(default=0.0, init=False)  # [trainings] in this run

    def __post_init__(self) -> None:
        self.console = self.console or _choose_console()
        self._is_live = self.console.is_terminal and not self.console.is_dumb_terminal
        self._begun = self._logged = self.clock()
        self._live = Live(console=self.console, get_renderable=self._render, refresh_per_second=1)

    def __enter__(self) -> "TrainingProgress":
        if self._is_live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.stop()

    def start(self, n_finished: int, best: Row | None = None) -> None:
        """Count what earlier runs finished."""
        self._n_finished, self._best = n_finished, best
        self._begun = self.clock()

    def skip(self) -> None:
        """Count a training that an earlier run finished."""
        self._n_finished += 1

    def begin(self, name: str, values: Sequence[str] = ()) -> None:
        """Add a training to the table."""
        self._running[name] = Row(name, values)

    def on_epoch(self, name: str, epoch: int, losses: EpochLosses) -> None:
        """Show one more epoch; off a terminal, log it unless the last line is young."""
        row = self._running.get(name)
        if row is None:  # reports of other processes may come late
            return
        first = epoch if row.first is None else row.first
        self._running[name] = replace(row, epoch=epoch, losses=losses, first=first)
        if self._is_live or self.clock() - self._logged < LOG_PERIOD:
            return
        self._log(f"{name}: epoch {epoch + 1} of {self.epochs}, valid loss {losses.valid:.4f}")

    def end(self, name: str, result: str, best: Row | None = None) -> None:
        """Take a training off the table; off a terminal, log what became of it."""
        self._done_here += self._share_done(replace(self._running.pop(name), epoch=self.epochs - 1))
        self._n_finished += 1
        self._best = best or self._best
        if not self._is_live:
            also = (
                ""
                if best is None or best.name == name
                else f"; best: {self._noun} {_describe(best)}"
            )
            self._log(f"{name}: {result}{also}")

    def _log(self, line: str) -> None:
        self._logged = self.clock()
        logger.info("%s %s; %s", self._noun.capitalize(), line, self.summary())

    def summary(self) -> str:
        """Say in one line how far the trainings are."""
        parts = [
            f"{self._n_finished} of {self.n_total} {self.what} finished",
            f"{len(self._running)} running",
        ]
        left = self._time_left()
        if self._n_finished < self.n_total and left is not None:
            parts.append(f"about {timedelta(seconds=round(left))} left")
        return ", ".join(parts)

    @property
    def _noun(self) -> str:
        return self.what.removesuffix("s")

    def _time_left(self) -> float | None:
        """Estimate the time left [s] from the rate of this run; None before the first epoch."""
        rows = list(self._running.values())
        done = self._done_here + sum(map(self._share_done, rows))
        if not done:
            return None
        behind = sum((row.epoch + 1) / self.epochs for row in rows if row.epoch is not None)
        left = self.n_total - self._n_finished - behind
        return left * (self.clock() - self._begun) / done

    def _share_done(self, row: Row) -> float:
        """Give the share of a training that was done in this run."""
        if row.epoch is None:
            return 0.0
        return (row.epoch + 1 - (row.first or 0)) / self.epochs

    def _render(self) -> RenderableType:
        table = self._table()
        bar = ProgressBar(self.n_total, self._n_finished)
        below = (Text(self.summary()), bar)
        return Group(table, *below) if table.row_count else Group(*below)

    def _table(self) -> Table:
        table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
        for name in (self._noun, "epoch", "train", "valid", "test", *self.columns):
            table.add_column(name, justify="right", no_wrap=True)
        if self._best is not None:
            best = replace(self._best, name=f"best {self._best.name}")
            table.add_row(*self._cells(best), style="green")
        rows = list(self._running.values())
        for row in rows[:N_ROWS]:
            table.add_row(*self._cells(row))
        if len(rows) > N_ROWS:
            table.add_row(f"+ {len(rows) - N_ROWS}")
        return table

    def _cells(self, row: Row) -> tuple[str, ...]:
        epoch = 0 if row.epoch is None else row.epoch + 1
        losses = ["", "", ""] if row.losses is None else [f"{loss:.3f}" for loss in row.losses]
        return (row.name, f"{epoch}/{self.epochs}", *losses, *row.values)


def _describe(row: Row) -> str:
    loss = "" if row.losses is None else f", valid loss {row.losses.valid:.4f}"
    return f"{row.name}{loss}"


def _choose_console() -> Console:
    """Take the console that Kedro logs to: a live table lets lines pass above it on its own alone."""
    console = rich.get_console()
    return console if console.is_terminal else Console(stderr=True)
