"""Tune: train one network a trial until the study has them all."""

import logging
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from types import FrameType
from typing import Any

import numpy as np
import optuna
from optuna import Study
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from multifield.maps import SplitLoaders
from multifield.models import ModelFolder, save_weights
from multifield.training import (
    EpochLosses,
    Hyperparameters,
    NonFiniteLoss,
    TrainedNetwork,
    TrainingConfig,
    TrainingInterrupted,
    read_checkpoint_losses,
    remove_checkpoint,
    train_network,
    write_losses,
)
from multifield.tuning.claims import Claim, ClaimLostError, Claims
from multifield.tuning.config import SearchSpace, TuningConfig
from multifield.tuning.joining import closed, join_study
from multifield.tuning.sampler import derive_seed
from multifield.tuning.storage import SqliteFile, StudyStorage, close_connections
from multifield.tuning.study import (
    FINISHED,
    rank_trials,
)

logger = logging.getLogger(__name__)

TrialData = SplitLoaders | Callable[[int], SplitLoaders]
"""The maps of all trials, or what gives those of a trial by its number."""
OnBegin = Callable[[optuna.Trial], None]
OnEpoch = Callable[[optuna.Trial, int, EpochLosses], None]
OnTrialEnd = Callable[[Study, FrozenTrial], None]
OnLook = Callable[[Sequence[FrozenTrial]], None]
FIRST_PAUSE = 0.2  # [s] between two looks for a trial; grows to a heartbeat


def tune(
    data: TrialData,
    folder: ModelFolder,
    tuning: TuningConfig,
    training: TrainingConfig,
    *,
    fingerprint: Mapping[str, Any],
    storage: StudyStorage | None = None,
    on_look: OnLook | None = None,
    on_begin: OnBegin | None = None,
    on_epoch: OnEpoch | None = None,
    on_trial_end: OnTrialEnd | None = None,
) -> Study:
    """Run trials until the study has `n_trials` of them, alone or beside other workers.

    A finished study is returned as it is; an unfinished one goes on as if it had never been
    interrupted: a trial depends on the seed, its number and the trials complete before it alone, and
    one that was interrupted, by an error or with its process, goes on from its checkpoint, under its own
    number and hyperparameters. Any number of processes on any machines may work on one study, if they share
    its folder; each returns when all trials are finished.

    Parameters
    ----------
    data : SplitLoaders or callable
        Training, validation and test maps; where trials differ in their maps, what gives those of a trial by
        its number.
    folder : ModelFolder
        Where weights, losses and the claims on trials go. Weights and losses are written before their
        trial is complete, and its checkpoint is removed after it.
    tuning : TuningConfig
        Trials and search space.
    training : TrainingConfig
        How each network is trained; its seed is not used, each trial has one of its own.
    fingerprint : mapping
        What the trials depend on besides `tuning`: training, split, checksums of the data. A flat
        dict that JSON can keep. Stored in a new study.
    storage : StudyStorage, optional
        Where the study is kept; the folder's sqlite database if not given.
    on_look : callable, optional
        Called with all trials whenever a worker has read them to look for one to train.
    on_begin : callable, optional
        Called with a trial that begins or goes on here; its hyperparameters are drawn.
    on_epoch : callable, optional
        Called with the trial, epoch and losses.
    on_trial_end : callable, optional
        Called with the study and the trial: complete, pruned or failed.

    Returns
    -------
    study : Study
        The value of a trial is its best validation loss. A trial whose loss or gradient was not
        finite is failed, says why in its attribute ``error``, and counts; so does a pruned one.

    Raises
    ------
    ValueError
        If the study was made with another fingerprint; each difference is named. Or if a server's study
        belongs to another folder.
    """
    storage = storage or SqliteFile(folder.database)
    claims = Claims.of(folder, tuning.workers.heartbeat, tuning.workers.grace)
    with _stopped_by_sigterm():
        study = join_study(storage, folder, tuning, training, fingerprint, claims)
        watchers = (on_look, on_begin, on_epoch, on_trial_end)
        with closed(study):
            _Worker(study, claims, data, folder, tuning, training, *watchers).run()
    return study


@dataclass
class _Worker:
    """One process's share of a study."""

    study: Study
    claims: Claims
    data: TrialData
    folder: ModelFolder
    tuning: TuningConfig
    training: TrainingConfig
    on_look: OnLook | None
    on_begin: OnBegin | None
    on_epoch: OnEpoch | None
    on_trial_end: OnTrialEnd | None

    def __post_init__(self) -> None:
        self._storage: BaseStorage = self.study._storage  # Optuna's own way asks for no given trial
        self._study_id = self._storage.get_study_id_from_name(self.study.study_name)

    def run(self) -> None:
        """Train trial after trial, until all are finished."""
        while (taken := self._take_trial()) is not None:
            claim, number = taken
            try:
                with claim:
                    self._run_trial(claim, number)
            except ClaimLostError as lost:
                logger.warning("Trial %d is dropped: %s", number, lost)
        self._clean_up()

    def _take_trial(self) -> tuple[Claim, int] | None:
        """Claim the first trial that nobody has; wait while others have all that are left."""
        pause = FIRST_PAUSE
        while numbers := self._unfinished():
            for number in numbers:
                claim = self.claims.take(str(number))
                if claim is None:
                    continue
                if self._start(number):
                    return claim, number
                claim.release()
            close_connections(self._storage)  # for the pause
            if pause == FIRST_PAUSE:
                logger.info("No trial is free; waiting for %d of other workers", len(numbers))
            time.sleep(pause * random.uniform(0.5, 1))
            pause = min(1.5 * pause, self.tuning.workers.heartbeat)
        return None

    def _unfinished(self) -> list[int]:
        trials = self.study.get_trials(deepcopy=False)[: self.tuning.n_trials]
        if self.on_look is not None:
            self.on_look(trials)
        return [trial.number for trial in trials if trial.state not in FINISHED]

    def _start(self, number: int) -> bool:
        """Let a claimed trial run, unless it was finished before it was claimed."""
        state = self._storage.get_trial(self._id(number)).state
        if state in FINISHED:
            return False
        if state is TrialState.RUNNING:
            logger.info("Trial %d lost its worker and goes on here", number)
            self._storage.set_trial_state_values(self._id(number), TrialState.WAITING)
        self._storage.set_trial_state_values(self._id(number), TrialState.RUNNING)
        return True

    def _run_trial(self, claim: Claim, number: int) -> None:
        trial = optuna.Trial(self._reopened(), self._id(number))
        try:
            finished = self._finish(claim, trial)
        except UpdateFinishedTrialError as error:
            raise ClaimLostError(f"another worker finished it: {error}") from error
        except ClaimLostError:
            raise
        except BaseException:
            self._put_back(claim, number)
            raise
        remove_checkpoint(self.folder.checkpoint(number))
        self._remove_weights()
        if self.on_trial_end is not None:
            self.on_trial_end(trial.study, finished)

    def _finish(self, claim: Claim, trial: optuna.Trial) -> FrozenTrial:
        """Train and store a network; say what became of its trial."""
        rows: list[tuple[int, EpochLosses]] = []
        try:
            hyperparameters = suggest(trial, self.tuning.search_space)
            if self.on_begin is not None:
                self.on_begin(trial)
            close_connections(self._storage)
            trained = train_network(
                self.data(trial.number) if callable(self.data) else self.data,
                hyperparameters,
                self.training,
                seed=derive_seed(self.tuning.seed, trial.number, "training"),
                report=partial(self._report, claim, trial, rows),
                checkpoint=self.folder.checkpoint(trial.number),
            )
        except NonFiniteLoss as error:
            claim.check()
            trial.set_user_attr("error", str(error))
            logger.warning("Trial %d failed: %s", trial.number, error)
            return trial.study.tell(trial, state=TrialState.FAIL)
        except optuna.TrialPruned:
            self._save_pruned(claim, trial, rows)
            return trial.study.tell(trial, state=TrialState.PRUNED)
        _save_trial(claim, trial, trained, self.folder)
        return trial.study.tell(trial, trained.best_valid_loss, skip_if_finished=True)

    def _report(
        self,
        claim: Claim,
        trial: optuna.Trial,
        rows: list[tuple[int, EpochLosses]],
        epoch: int,
        losses: EpochLosses,
    ) -> None:
        claim.check()
        rows.append((epoch, losses))
        with closed(trial.study):  # until the next epoch has ended
            if self.on_epoch is not None:
                self.on_epoch(trial, epoch, losses)
            if self.tuning.pruner.name != "none":
                is_last = epoch + 1 == self.training.epochs
                _prune(trial, epoch, losses.valid, is_last=is_last)

    def _save_pruned(
        self, claim: Claim, trial: optuna.Trial, rows: list[tuple[int, EpochLosses]]
    ) -> None:
        """Write the losses of a trial as far as it came; it has no weights."""
        checkpoint = self.folder.checkpoint(trial.number)
        # what this process did not see itself; after its own checkpoints, more than that
        earlier = read_checkpoint_losses(checkpoint) if checkpoint.exists() else []
        seen = [[epoch, *losses] for epoch, losses in rows]
        losses = np.array(earlier[: rows[0][0]] + seen, np.float64)
        claim.publish(self.folder.losses(trial.number), lambda path: write_losses(path, losses))

    def _put_back(self, claim: Claim, number: int) -> None:
        """Let a trial wait for any worker, with its number and hyperparameters.

        Optuna's own way, failing it and enqueueing its parameters, gives it another number, and with
        that the trials after it too.
        """
        with suppress(ClaimLostError):  # then it is not ours to put back
            claim.check()
            trial_id = self._id(number)
            if self._storage.get_trial(trial_id).state is TrialState.RUNNING:  # else it has ended
                self._storage.set_trial_state_values(trial_id, TrialState.WAITING)

    def _clean_up(self) -> None:
        """Remove what workers that died between the end of a trial and its cleaning left."""
        folder = self.folder.checkpoint("any").parent
        left = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
        for trial in self.study.get_trials(deepcopy=False, states=FINISHED):
            if (path := self.folder.checkpoint(trial.number)).name in left:
                remove_checkpoint(path)
        self._remove_weights()
        self.claims.remove_dead()

    def _remove_weights(self) -> None:
        """Remove the weights of trials that are not among the best, and never will be again."""
        if self.tuning.keep_weights:
            for trial in rank_trials(self.study)[self.tuning.keep_weights :]:
                self.folder.weights(trial.number).unlink(missing_ok=True)

    def _id(self, number: int) -> int:
        return self._storage.get_trial_id_from_study_id_trial_number(self._study_id, number)

    def _reopened(self) -> Study:
        """Give the study as it is now: an object of Optuna's remembers the trials until it is told."""
        return optuna.load_study(
            study_name=self.study.study_name,
            storage=self._storage,
            sampler=self.study.sampler,
            pruner=self.study.pruner,
        )


def suggest(trial: optuna.Trial, space: SearchSpace) -> Hyperparameters:
    """Let a trial draw its hyperparameters."""
    return Hyperparameters(
        lr=trial.suggest_float("lr", space.lr.low, space.lr.high, log=True),
        wd=trial.suggest_float("wd", space.wd.low, space.wd.high, log=True),
        dr=trial.suggest_float("dr", space.dr.low, space.dr.high),
        hidden=trial.suggest_int("hidden", space.hidden.low, space.hidden.high),
    )


def _prune(trial: optuna.Trial, epoch: int, valid: float, *, is_last: bool) -> None:
    """Report an epoch, and raise TrialPruned if the trial lags behind.

    Epochs that are trained again after the last checkpoint were reported before, and judged. After the last
    one there is nothing to spare: the trial is complete, and its weights may be wanted.
    """
    last = trial.study._storage.get_trial(trial._trial_id).last_step
    if last is None or epoch > last:
        trial.report(valid, epoch)
    if not is_last and (last is None or epoch >= last) and trial.should_prune():
        raise optuna.TrialPruned


def _save_trial(
    claim: Claim, trial: optuna.Trial, trained: TrainedNetwork, folder: ModelFolder
) -> None:
    claim.publish(folder.losses(trial.number), lambda path: write_losses(path, trained.losses))
    claim.publish(folder.weights(trial.number), lambda path: save_weights(path, trained.state))
    _, train, _, test = trained.losses[trained.best_epoch].tolist()
    trial.set_user_attr("best_epoch", trained.best_epoch)
    trial.set_user_attr("train_loss", train)
    trial.set_user_attr("test_loss", test)


@contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    """Let SIGTERM, as Slurm sends it, end the program as Ctrl-C does, so that a trial is put back.

    While a network is trained, `train_network` hears it between two steps.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)  # once is enough, and what follows takes its time
        raise TrainingInterrupted(signal.Signals(number))

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
