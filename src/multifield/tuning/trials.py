"""Tune: train one network a trial until the study has them all."""

import logging
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import optuna
from optuna import Study
from optuna.trial import FrozenTrial, TrialState

from multifield.maps import SplitLoaders
from multifield.models import ModelFolder, save_weights
from multifield.training import (
    EpochLosses,
    Hyperparameters,
    NonFiniteLoss,
    TrainedNetwork,
    TrainingConfig,
    remove_checkpoint,
    train_network,
    write_losses,
)
from multifield.tuning.config import SearchSpace, TuningConfig
from multifield.tuning.sampler import derive_seed
from multifield.tuning.study import (
    FINGERPRINT,
    FINISHED,
    check_attribute,
    open_storage,
    open_study,
)

logger = logging.getLogger(__name__)

OnEpoch = Callable[[optuna.Trial, int, EpochLosses], None]
OnTrialEnd = Callable[[Study, FrozenTrial], None]
SETTINGS = "tuning"  # user attribute of a study: how its trials were drawn


def tune(
    data: SplitLoaders,
    folder: ModelFolder,
    tuning: TuningConfig,
    training: TrainingConfig,
    *,
    fingerprint: Mapping[str, Any],
    on_epoch: OnEpoch | None = None,
    on_trial_end: OnTrialEnd | None = None,
) -> Study:
    """Run trials until the study has `n_trials` of them.

    A finished study is returned as it is; an unfinished one goes on as if it had never been
    interrupted: a trial depends on the seed, its number and the trials before it alone, and one
    that was interrupted, by an error or with its process, is repeated under its own number and
    hyperparameters, from its checkpoint on.

    Parameters
    ----------
    data : SplitLoaders
        Training, validation and test maps.
    folder : ModelFolder
        Where database, weights and losses go. Weights and losses are written before their trial is
        complete, and its checkpoint is removed after it.
    tuning : TuningConfig
        Trials and search space.
    training : TrainingConfig
        How each network is trained; its seed is not used, each trial has one of its own.
    fingerprint : mapping
        What the trials depend on besides `tuning`: training, split, checksums of the data. A flat
        dict that JSON can keep. Stored in a new study.
    on_epoch : callable, optional
        Called with the trial, epoch and losses.
    on_trial_end : callable, optional
        Called with the study and the trial, complete or failed.

    Returns
    -------
    study : Study
        The value of a trial is its best validation loss. A trial whose loss or gradient was not
        finite is failed, says why in its attribute ``error``, and counts.

    Raises
    ------
    ValueError
        If the study in the database was made with another fingerprint; each difference is named.
    RuntimeError
        If another process is tuning this study.
    """
    with _sole_process(folder.database):
        study = open_study(folder.database, tuning)
        attributes = {FINGERPRINT: fingerprint, SETTINGS: _settings(tuning)}
        _check_attributes(study, attributes, folder.database)
        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            _put_back(study, folder.database, trial.number)  # we have the lock: its process is dead
        for trial in study.get_trials(deepcopy=False, states=FINISHED):
            remove_checkpoint(folder.checkpoint(trial.number))  # if that process had no time to
        while len(study.get_trials(deepcopy=False, states=FINISHED)) < tuning.n_trials:
            trial = _run_trial(study, data, folder, tuning, training, on_epoch)
            if on_trial_end is not None:
                on_trial_end(study, trial)
    return study


def _run_trial(
    study: Study,
    data: SplitLoaders,
    folder: ModelFolder,
    tuning: TuningConfig,
    training: TrainingConfig,
    on_epoch: OnEpoch | None,
) -> FrozenTrial:
    trial = study.ask()
    try:
        trained = train_network(
            data,
            suggest(trial, tuning.search_space),
            training,
            seed=derive_seed(tuning.seed, trial.number, "training"),
            report=partial(on_epoch, trial) if on_epoch is not None else None,
            checkpoint=folder.checkpoint(trial.number),
        )
        _save_trial(trial, trained, folder)
        told = study.tell(trial, trained.best_valid_loss)
    except NonFiniteLoss as error:
        trial.set_user_attr("error", str(error))
        logger.warning("Trial %d failed: %s", trial.number, error)
        told = study.tell(trial, state=TrialState.FAIL)
    except BaseException:
        _put_back(study, folder.database, trial.number)
        raise
    remove_checkpoint(folder.checkpoint(trial.number))
    return told


def _save_trial(trial: optuna.Trial, trained: TrainedNetwork, folder: ModelFolder) -> None:
    write_losses(folder.losses(trial.number), trained.losses)
    save_weights(folder.weights(trial.number), trained.state)
    _, train, _, test = trained.losses[trained.best_epoch].tolist()
    trial.set_user_attr("best_epoch", trained.best_epoch)
    trial.set_user_attr("train_loss", train)
    trial.set_user_attr("test_loss", test)


def _put_back(study: Study, database: Path, number: int) -> None:
    """Let a running trial wait to be asked for again, with its number and hyperparameters.

    Optuna's own way, failing it and enqueueing its parameters, gives it another number, and with
    that the trials after it too.
    """
    storage = open_storage(database)
    study_id = storage.get_study_id_from_name(study.study_name)
    trial_id = storage.get_trial_id_from_study_id_trial_number(study_id, number)
    if storage.get_trial(trial_id).state is TrialState.RUNNING:  # else interrupted after its end
        storage.set_trial_state_values(trial_id, TrialState.WAITING)


def suggest(trial: optuna.Trial, space: SearchSpace) -> Hyperparameters:
    """Let a trial draw its hyperparameters."""
    return Hyperparameters(
        lr=trial.suggest_float("lr", space.lr.low, space.lr.high, log=True),
        wd=trial.suggest_float("wd", space.wd.low, space.wd.high, log=True),
        dr=trial.suggest_float("dr", space.dr.low, space.dr.high),
        hidden=trial.suggest_int("hidden", space.hidden.low, space.hidden.high),
    )


def _settings(tuning: TuningConfig) -> dict[str, Any]:
    settings = {f"tuning.{name}": value for name, value in asdict(tuning).items()}
    del settings["tuning.n_trials"]  # more trials may be added
    return settings


def _check_attributes(
    study: Study, attributes: Mapping[str, Mapping[str, Any]], database: Path
) -> None:
    """Store attributes in a new study, compare them in an old one."""
    is_new = not study.get_trials(deepcopy=False)
    for name, value in attributes.items():
        if name not in study.user_attrs and is_new:
            study.set_user_attr(name, dict(value))
        elif name not in study.user_attrs:
            raise ValueError(
                f"{database}: its trials do not say what they depend on, so none can "
                "be added. Use another folder, or move the database away to tune anew"
            )
        else:
            check_attribute(study, name, value, database)


@contextmanager
def _sole_process(database: Path) -> Iterator[None]:
    """Hold a lock beside the database, which the system frees however the process ends.

    With it a trial that is still running when tuning begins is known to have lost its process. A
    transaction of SQLite's is a lock that works alike on Linux, macOS and Windows.
    """
    database.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(database.with_name(f".{database.name}.lock"), timeout=0)) as lock:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise RuntimeError(f"{database}: another process is tuning this study") from error
        yield
