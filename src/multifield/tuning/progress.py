"""How tuning is getting on: a live line on a terminal, else a line in the log for each trial."""

import logging
import time
from types import TracebackType

import optuna
from optuna.trial import FrozenTrial
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from multifield.training import EpochLosses
from multifield.tuning.study import rank_trials

logger = logging.getLogger(__name__)

LOG_PERIOD = 60.0  # [s] between two lines of a log
SPEED_PERIOD = 24 * 3600.0  # [s]; trials differ in size, so the time left needs a long memory


class TuningProgress:
    """Show trial, epoch, validation loss, best loss so far and time left.

    Use as a context, and give its two methods to `tune`.

    Parameters
    ----------
    n_trials, epochs : int
        How many trials, and epochs in each.
    console : rich.console.Console, optional
        Where to show; standard error if not given.
    """

    def __init__(self, n_trials: int, epochs: int, console: Console | None = None) -> None:
        self._n_trials = n_trials
        self._epochs = epochs
        self._console = console or Console(stderr=True)
        self._progress = Progress(
            TextColumn("trial {task.fields[trial]}/{task.fields[n_trials]}"),
            TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
            BarColumn(),
            TextColumn("valid {task.fields[valid]:.3f}  best {task.fields[best]}  left"),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=self._console,
            disable=not self._console.is_terminal,
            speed_estimate_period=SPEED_PERIOD,
        )
        self._task: TaskID | None = None
        self._best = "-"
        self._logged = time.monotonic()

    def __enter__(self) -> "TuningProgress":
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def on_epoch(self, trial: optuna.Trial, epoch: int, losses: EpochLosses) -> None:
        """Show one more epoch; off a terminal, log one at most every minute."""
        if not self._console.is_terminal:
            self._log_epoch(trial, epoch, losses)
            return
        if self._task is None:
            self._start_at(trial, epoch)
        assert self._task is not None
        self._progress.update(
            self._task,
            completed=trial.number * self._epochs + epoch + 1,
            trial=trial.number + 1,
            epoch=epoch + 1,
            valid=losses.valid,
            best=self._best,
        )

    def on_trial_end(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Note the best loss so far; off a terminal, log one line."""
        self._best = _best_value(study)
        if self._task is not None:
            self._progress.update(self._task, best=self._best)
        if not self._console.is_terminal:
            value = "failed" if trial.value is None else f"valid loss {trial.value:.4f}"
            seconds = trial.duration.total_seconds() if trial.duration else 0.0
            logger.info(
                "Trial %d/%d: %s, best so far %s, %.0f s",
                trial.number + 1,
                self._n_trials,
                value,
                self._best,
                seconds,
            )

    def _log_epoch(self, trial: optuna.Trial, epoch: int, losses: EpochLosses) -> None:
        now = time.monotonic()
        if now - self._logged < LOG_PERIOD:
            return
        self._logged = now
        logger.info(
            "Trial %d/%d, epoch %d/%d: valid loss %.4f",
            trial.number + 1,
            self._n_trials,
            epoch + 1,
            self._epochs,
            losses.valid,
        )

    def _start_at(self, trial: optuna.Trial, epoch: int) -> None:
        # a study that goes on starts at the epoch where it was, so that the time left counts this run's
        # speed alone
        self._best = _best_value(trial.study)
        self._task = self._progress.add_task(
            "tune",
            total=self._n_trials * self._epochs,
            completed=trial.number * self._epochs + epoch,
            n_trials=self._n_trials,
            epochs=self._epochs,
            trial=trial.number + 1,
            epoch=epoch,
            valid=float("nan"),
            best=self._best,
        )


def _best_value(study: optuna.Study) -> str:
    ranked = rank_trials(study)
    return f"{ranked[0].value:.4f}" if ranked else "-"
