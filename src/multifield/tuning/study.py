"""Studies: open one to tune, rank and list its trials."""

import json
import logging
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
from optuna import Study as Study
from optuna.trial import FrozenTrial as FrozenTrial
from optuna.trial import TrialState

from multifield.config.tuning import TuningConfig
from multifield.training.causes import list_differences
from multifield.tuning.sampler import ReproducibleTPESampler, make_pruner
from multifield.tuning.storage import StudyStorage

logger = logging.getLogger(__name__)

HYPERPARAMETER_NAMES = ("lr", "wd", "dr", "hidden")
FINGERPRINT = "fingerprint"  # user attribute of a study
WEIGHTS_SHA256 = "weights_sha256"
"""User attribute of a trial: SHA-256 of its weights. Released trials have none."""
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


def open_study(
    source: str | os.PathLike[str] | StudyStorage, config: TuningConfig, epochs: int = 0
) -> Study:
    """Open a study to add trials. Study and database are created if they do not exist.

    Parameters
    ----------
    source : path-like or StudyStorage
        Storage of the study, or path of its SQLite database.
    config : TuningConfig
        Name of the study, and settings of sampler and pruner.
    epochs : int, optional
        Number of epochs per trial, which Hyperband needs.

    Returns
    -------
    study : Study
        Study that minimizes its values.

    Raises
    ------
    ValueError
        If the database contains a study of another name, or the pruner could stop no trial.
    """
    log_as_the_application()
    pruner = make_pruner(config.pruner, epochs)
    place = as_storage(source)
    storage, name = place.open(), place.name_of(config.study_name)
    if place.url is None and (others := set(optuna.get_all_study_names(storage)) - {name}):
        raise ValueError(
            f"{place}: Expected no study except {name}, got {', '.join(sorted(others))}."
        )
    study = optuna.create_study(
        storage=storage,
        sampler=ReproducibleTPESampler(config.seed, config.n_startup_trials),
        pruner=pruner,
        study_name=name,
        direction="minimize",
        load_if_exists=True,
    )
    check_direction(study, place)
    return study


def as_storage(source: str | os.PathLike[str] | StudyStorage) -> StudyStorage:
    """Return the storage for a path, which is that of a SQLite database."""
    return source if isinstance(source, StudyStorage) else StudyStorage(Path(source))


def rank_trials(study: Study) -> list[FrozenTrial]:
    """Return the complete trials with a finite value, best first.

    Parameters
    ----------
    study : Study
        Study of this project, or a released one.

    Returns
    -------
    trials : list of FrozenTrial
        Trials with increasing values. The earlier of equal trials comes first.
    """
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    finite = [trial for trial in complete if math.isfinite(_value(trial))]
    return sorted(finite, key=lambda trial: (_value(trial), trial.number))


def best_trial(study: Study) -> FrozenTrial:
    """Return the trial with the lowest value.

    Parameters
    ----------
    study : Study
        Study of this project, or a released one.

    Returns
    -------
    trial : FrozenTrial
        Best trial. Its hyperparameters are in ``trial.params``.

    Raises
    ------
    ValueError
        If no trial is complete.
    """
    ranked = rank_trials(study)
    if not ranked:
        raise ValueError(f"study {study.study_name}: Expected a complete trial, got none.")
    return ranked[0]


def top_trials(study: Study, top_k: int) -> list[FrozenTrial]:
    """Return the best trials, best first.

    Parameters
    ----------
    study : Study
        Study of this project, or a released one.
    top_k : int
        Number of trials, at least 1.

    Returns
    -------
    trials : list of FrozenTrial
        Best trials. Their hyperparameters are in ``trial.params``.

    Raises
    ------
    ValueError
        If `top_k` is below 1, or exceeds the number of complete trials with a finite value.
    """
    ranked = rank_trials(study)
    if not 1 <= top_k <= len(ranked):
        raise ValueError(
            f"top_k: Expected 1 to {len(ranked)}, the number of complete trials of study "
            f"{study.study_name}, got {top_k}."
        )
    return ranked[:top_k]


def valid_losses(study: Study) -> dict[int, float]:
    """Return the value of each complete trial, best first.

    Parameters
    ----------
    study : Study
        Study of this project, or a released one.

    Returns
    -------
    losses : dict of int to float
        Validation loss under the number of each trial.
    """
    return {trial.number: _value(trial) for trial in rank_trials(study)}


def check_fingerprint(
    study: Study, fingerprint: Mapping[str, Any], source: object = "study"
) -> None:
    """Check that the trials of a study were trained with the data and settings of this run.

    A released study has no fingerprint. It is accepted with a warning.

    Parameters
    ----------
    study : Study
        Study of this project, or a released one.
    fingerprint : mapping
        Fingerprint of this run, as for `tune`.
    source : path-like, optional
        Path of the study's database, for messages.

    Raises
    ------
    ValueError
        If the study has another fingerprint. The message lists the differences.
    """
    if FINGERPRINT in study.user_attrs:
        check_attribute(study, FINGERPRINT, fingerprint, source)
    else:
        logger.warning(
            "%s: The study does not record what its trials depend on, so this is not checked.",
            source,
        )


def check_attribute(
    study: Study, attribute: str, expected: Mapping[str, Any], source: object
) -> None:
    """Compare a dict attribute of a study; ValueError lists the differences."""
    expected = json.loads(json.dumps(expected))  # as stored: tuples become lists
    if differences := list_differences("study", study.user_attrs[attribute], expected):
        raise ValueError(
            "\n  ".join([f"{source}: Tuned with other settings:", *differences])
            + "\nSet another models_folder, or move the database away to tune again."
        )


def trials_table(study: Study) -> list[dict[str, Any]]:
    """List the trials of a study, one row per trial in the order of their numbers.

    Parameters
    ----------
    study : Study
        Study of this project, or a released one.

    Returns
    -------
    rows : list of dict
        Number, state, value, hyperparameters, ``best_epoch`` (from 1) and ``seconds``. Missing
        values are None.
    """
    return [
        {
            "number": trial.number,
            "state": trial.state.name,
            "value": trial.value,
            **{name: trial.params.get(name) for name in HYPERPARAMETER_NAMES},
            "best_epoch": None
            if (best := trial.user_attrs.get("best_epoch")) is None
            else best + 1,
            "seconds": trial.duration.total_seconds() if trial.duration else None,
        }
        for trial in study.get_trials(deepcopy=False)
    ]


def log_as_the_application() -> None:
    """Send Optuna's messages to the root logger, once and in its format."""
    optuna.logging.disable_default_handler()
    optuna.logging.enable_propagation()
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # `TrainingProgress` shows the rest


def check_direction(study: Study, source: object) -> None:
    """Check that a study minimizes one value, by which its trials are ranked.

    Parameters
    ----------
    study : Study
        Study of this project, or a released one.
    source : path-like
        Path of the study's database, for messages.

    Raises
    ------
    ValueError
        If the study maximizes its value, or has several.
    """
    directions = [direction.name.lower() for direction in study.directions]
    if directions != ["minimize"]:
        raise ValueError(
            f"{source}: Expected one direction, minimize, for the validation loss, got "
            f"{', '.join(directions)}."
        )


def _value(trial: FrozenTrial) -> float:
    return math.nan if trial.value is None else trial.value
