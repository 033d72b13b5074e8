"""How tuning is getting on: a live table on a terminal, else a line in the log for each trial."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any

import optuna
import rich
from optuna.trial import FrozenTrial, TrialState
from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from multifield.training import EpochLosses
from multifield.tuning.overview import Overview
from multifield.tuning.study import HYPERPARAMETER_NAMES

LOG_PERIOD = 300.0  # [s] between two lines of a log within a trial
LOOK_PERIOD = 5.0  # [s] between two readings of a study by all workers together
N_OTHERS = 5  # rows of trials of other workers

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Here:
    """The trial that this process trains."""

    number: int
    params: dict[str, Any]
    begun: float  # [s]
    first: int | None = None  # epoch that ended here
    epoch: int | None = None  # the last that ended
    losses: EpochLosses | None = None
    at: float = 0.0  # [s], when that was

    @property
    def seconds_per_epoch(self) -> float | None:
        """None until one has ended."""
        if self.first is None or self.epoch is None:
            return None
        return (self.at - self.begun) / (self.epoch - self.first + 1)


class TuningProgress:
    """Show the trials of the whole study, the best, the one trained here, and the time left.

    Use as a context, and give its four methods to `tune`.

    On a terminal the study is read between epochs, so seldom that all workers together read it once in
    `LOOK_PERIOD`: with n trials running each waits n times as long. Off a terminal it is read when a
    trial ends.

    Parameters
    ----------
    n_trials, epochs : int
        How many trials, and epochs in each.
    console : rich.console.Console, optional
        Where to show; if not given, that of the log, or standard error where the log goes to no terminal.
    clock : callable, optional
        Gives the time, [s], from any moment on.
    """

    def __init__(
        self,
        n_trials: int,
        epochs: int,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._n_trials = n_trials
        self._epochs = epochs
        self._console = console or _choose_console()
        self._is_live = self._console.is_terminal and not self._console.is_dumb_terminal
        self._clock = clock
        self._overview = Overview(())
        self._here: Here | None = None
        self._looked = self._logged = clock()
        self._live = Live(console=self._console, get_renderable=self._render, refresh_per_second=1)

    def __enter__(self) -> "TuningProgress":
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

    @property
    def watchers(self) -> dict[str, Any]:
        """What `tune` is to call, by the names of its arguments."""
        return {
            "on_look": self.on_look,
            "on_begin": self.on_begin,
            "on_epoch": self.on_epoch,
            "on_trial_end": self.on_trial_end,
        }

    def on_look(self, trials: Sequence[FrozenTrial]) -> None:
        """Show the study as it was read just now, for whatever reason."""
        here = None if self._here is None else self._here.number
        self._overview = Overview(trials[: self._n_trials], here)
        self._looked = self._clock()

    def on_begin(self, trial: optuna.Trial) -> None:
        """Show which trial is trained here."""
        self._here = Here(trial.number, trial.params, self._clock())
        self._overview = replace(self._overview, here=trial.number)

    def on_epoch(self, trial: optuna.Trial, epoch: int, losses: EpochLosses) -> None:
        """Show one more epoch; off a terminal, log one every few minutes."""
        now, here = self._clock(), self._here
        assert here is not None, "on_begin comes first"
        first = epoch if here.first is None else here.first
        self._here = replace(here, first=first, epoch=epoch, losses=losses, at=now)
        if not self._is_live:
            self._log_epoch(trial.number, epoch, losses)
        elif now - self._looked >= LOOK_PERIOD * len(self._overview.running):
            self.on_look(trial.study.get_trials(deepcopy=False))

    def on_trial_end(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Forget the trial; off a terminal, log one line about it and the study."""
        self._here = None
        if self._is_live:
            return  # the worker looks for its next trial at once
        self.on_look(study.get_trials(deepcopy=False))
        self._logged = self._clock()
        best = self._overview.best
        among = "" if best is None else f"; best: trial {best.number}, valid loss {best.value:.4f}"
        logger.info("Trial %d: %s; %s%s", trial.number, _describe(trial), self._summarize(), among)

    def _log_epoch(self, number: int, epoch: int, losses: EpochLosses) -> None:
        if self._clock() - self._logged < LOG_PERIOD:
            return
        self._logged = self._clock()
        logger.info(
            "Trial %d, epoch %d of %d: valid loss %.4f",
            number,
            epoch + 1,
            self._epochs,
            losses.valid,
        )

    def _summarize(self) -> str:
        """Say in one line how far the study is."""
        overview = self._overview
        n_running = len(overview.running)
        here = " (1 here)" if n_running > len(overview.elsewhere) else ""
        parts = [
            f"{overview.n_finished} of {self._n_trials} finished{_count_lost(overview)}",
            f"{n_running} running{here}",
            f"{overview.count(TrialState.WAITING)} waiting",
        ]
        if overview.n_finished < self._n_trials:
            left = overview.time_left(datetime.now(), self._guess())
            parts.append(
                "time left unknown" if left is None else f"about {_format_time(left)} left"
            )
        return ", ".join(parts)

    def _guess(self) -> float | None:
        """How long a trial takes, [s], by the epochs seen here."""
        seconds = None if self._here is None else self._here.seconds_per_epoch
        return None if seconds is None else seconds * self._epochs

    def _render(self) -> RenderableType:
        table = self._table(self._overview)
        bar = ProgressBar(self._n_trials, self._overview.n_finished)
        below = (Text(self._summarize()), bar)
        return Group(table, *below) if table.row_count else Group(*below)

    def _table(self, overview: Overview) -> Table:
        table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
        for name in ("trial", "", "epoch", "train", "valid", "test", *HYPERPARAMETER_NAMES):
            table.add_column(name, justify="right", no_wrap=True)
        if overview.best is not None:
            table.add_row(*_row_of_best(overview.best), style="green")
        if self._here is not None:
            table.add_row(*self._row_of_here(self._here), style="bold")
        for trial in overview.elsewhere[:N_OTHERS]:
            table.add_row(str(trial.number), "other", "", "", "", "", *_format_params(trial.params))
        if (more := len(overview.elsewhere) - N_OTHERS) > 0:
            table.add_row(f"+ {more}", "other")
        return table

    def _row_of_here(self, here: Here) -> tuple[str, ...]:
        losses = here.losses or ("", "", "")
        epoch = 0 if here.epoch is None else here.epoch + 1
        return (
            str(here.number),
            "here",
            f"{epoch}/{self._epochs}",
            *map(_format_loss, losses),
            *_format_params(here.params),
        )


def _choose_console() -> Console:
    """Take the console that Kedro logs to: a live table lets lines pass above it on its own alone."""
    console = rich.get_console()
    return console if console.is_terminal else Console(stderr=True)


def _row_of_best(trial: FrozenTrial) -> tuple[str, ...]:
    attributes = trial.user_attrs
    losses = (attributes.get("train_loss", ""), trial.value, attributes.get("test_loss", ""))
    epoch = str(attributes["best_epoch"] + 1) if "best_epoch" in attributes else ""
    return (
        str(trial.number),
        "best",
        epoch,
        *map(_format_loss, losses),
        *_format_params(trial.params),
    )


def _count_lost(overview: Overview) -> str:
    """Say how many of the finished trials are not complete."""
    counts = {"pruned": TrialState.PRUNED, "failed": TrialState.FAIL}
    lost = [f"{n} {name}" for name, state in counts.items() if (n := overview.count(state))]
    return f" ({', '.join(lost)})" if lost else ""


def _describe(trial: FrozenTrial) -> str:
    """Say what became of a trial, and how long it took."""
    result = f"valid loss {trial.value:.4f}" if trial.value is not None else "failed"
    if trial.state is TrialState.PRUNED:
        result = "pruned"
    duration = trial.duration
    return result if duration is None else f"{result}, {_format_time(duration.total_seconds())}"


def _format_loss(loss: float | str | None) -> str:
    return f"{loss:.3f}" if isinstance(loss, float) else ""


def _format_params(params: dict[str, Any]) -> list[str]:
    """Give the hyperparameters drawn so far, in their usual order."""
    formats = {"lr": ".1e", "wd": ".1e", "dr": ".2f", "hidden": "d"}
    return [
        format(params[name], formats[name]) if name in params else ""
        for name in HYPERPARAMETER_NAMES
    ]


def _format_time(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
