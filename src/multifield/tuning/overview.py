"""A study at one moment: how many trials are in which state, the best, and how long the rest will take."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from optuna.trial import FrozenTrial, TrialState

from multifield.tuning.study import FINISHED, rank

TRIED = (TrialState.COMPLETE, TrialState.PRUNED)  # as long as trials are; a failed one may be short


@dataclass(frozen=True)
class Overview:
    """The trials that a study shall have, as they were when it was read.

    Parameters
    ----------
    trials : sequence of FrozenTrial
    here : int, optional
        Number of the trial that this process has begun since, or before.
    """

    trials: Sequence[FrozenTrial]
    here: int | None = None

    def count(self, *states: TrialState) -> int:
        """Count the trials that are in one of these states."""
        counts = Counter(self._state(trial) for trial in self.trials)
        return sum(counts[state] for state in states)

    @property
    def n_finished(self) -> int:
        """Complete, pruned and failed trials, none of which is run again."""
        return self.count(*FINISHED)

    @property
    def best(self) -> FrozenTrial | None:
        """The complete trial of the lowest value, if there is one."""
        return next(iter(rank(self.trials)), None)

    @property
    def running(self) -> list[FrozenTrial]:
        """Trials that workers have, those that died without notice included."""
        return [trial for trial in self.trials if self._state(trial) is TrialState.RUNNING]

    @property
    def elsewhere(self) -> list[FrozenTrial]:
        """Trials that other workers have."""
        return [trial for trial in self.running if trial.number != self.here]

    def time_left(self, now: datetime, guess: float | None = None) -> float | None:
        """Estimate when all workers together will have finished the study.

        Every trial takes the mean time of those tried so far, and the workers that have one now stay.

        Parameters
        ----------
        now : datetime
            Local time, as the study's time stamps are.
        guess : float, optional
            How long a trial takes, [s], to go by until one has been tried.

        Returns
        -------
        seconds : float or None
            None where nothing is known yet.
        """
        mean = self._mean_duration() or guess
        if mean is None:
            return None
        starts = [trial.datetime_start or now for trial in self.running]
        left = [max(mean - (now - start).total_seconds(), 0.0) for start in starts]
        work = mean * self.count(TrialState.WAITING) + sum(left)
        return max(work / max(len(left), 1), *left, 0.0)

    def _state(self, trial: FrozenTrial) -> TrialState:
        is_here = trial.number == self.here and trial.state not in FINISHED
        return TrialState.RUNNING if is_here else trial.state

    def _mean_duration(self) -> float | None:
        """Mean time of the trials tried, [s], since each was begun or went on for the last time."""
        durations = [
            trial.duration.total_seconds()
            for trial in self.trials
            if trial.state in TRIED and trial.duration is not None
        ]
        return sum(durations) / len(durations) if durations else None
