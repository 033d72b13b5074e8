"""Studies: open one to tune, load one to read, list its trials."""

import errno
import json
import logging
import math
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import optuna
from optuna import Study as Study
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.trial import FrozenTrial as FrozenTrial
from optuna.trial import TrialState

from multifield.config.tuning import TuningConfig
from multifield.tuning.pruning import make_pruner
from multifield.tuning.sampler import ReproducibleTPESampler
from multifield.tuning.storage import PATIENCE, StudyStorage, open_sqlite

logger = logging.getLogger(__name__)

HYPERPARAMETER_NAMES = ("lr", "wd", "dr", "hidden")
FINGERPRINT = "fingerprint"  # user attribute of a study
WEIGHTS_SHA256 = "weights_sha256"
"""User attribute of a trial: SHA-256 of its weights. Released trials have none."""
MAX_REASON = 200  # characters of what a library says of a database
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


def open_study(
    source: str | os.PathLike[str] | StudyStorage, config: TuningConfig, epochs: int = 0
) -> Study:
    """Open a study to add trials; it and its database are made if they are not there.

    Parameters
    ----------
    source : path-like or StudyStorage
        Where it is kept; a path is that of a sqlite database.
    config : TuningConfig
        Name of the study, and how it draws and prunes trials.
    epochs : int
        Of a trial; Hyperband needs to know.

    Returns
    -------
    study : Study
        Lower values are better.

    Raises
    ------
    ValueError
        If the database holds a study of another name, or the pruner could stop no trial.
    """
    log_as_the_application()
    pruner = make_pruner(config.pruner, epochs)
    place = as_storage(source)
    storage, name = place.open(), place.name_of(config.study_name)
    if place.url is None and (others := set(optuna.get_all_study_names(storage)) - {name}):
        raise ValueError(
            f"{place}: expected no study but {name}, found {', '.join(sorted(others))}"
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
    """Take a path for that of a sqlite database."""
    return source if isinstance(source, StudyStorage) else StudyStorage(Path(source))


def load_study(source: str | os.PathLike[str] | StudyStorage) -> Study:
    """Read a study, ours or a released one; what it is read from stays as it is.

    A released database is from Optuna 2 and has to be upgraded before today's Optuna reads it. That
    changes the file, so a copy is read, and upgraded if need be. Databases of Optuna 2.10 to 5 are
    tested. The study returned lives in memory.

    Parameters
    ----------
    source : path-like or StudyStorage
        SQLite database with one study; or a storage that may hold many.

    Returns
    -------
    study : Study

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no database of Optuna's, is of a later Optuna than the one installed, cannot be read
        or upgraded, or does not hold exactly one study of this suite, field and recipe.
    ConnectionError
        If the database of a URL cannot be reached.
    """
    log_as_the_application()
    place = as_storage(source)
    if place.url is not None:
        return _into_memory(place.open(), place.is_own, place)
    if not place.exists():
        raise FileNotFoundError(f"study: no such database: {place}")
    return _load_sqlite(place.path)


def _load_sqlite(path: Path) -> Study:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "study.db"
        _copy_database(path, copy)
        _check_is_optunas(copy, path)
        try:
            return _into_memory(open_sqlite(copy, upgrade=True, source=path), lambda _: True, path)
        except Exception as error:  # libraries raise anything for tables that they did not write
            if str(error).startswith(str(path)):
                raise
            reason = str(error.__cause__ or error).partition("\n")[0]  # the rest is SQL
            reason = reason[:MAX_REASON] or type(error).__name__
            raise ValueError(
                f"{path}: this database cannot be read or upgraded; {reason}"
            ) from error


def rank_trials(study: Study) -> list[FrozenTrial]:
    """Complete trials with a finite value, best first, the earlier first among equals."""
    return rank(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)))


def rank(trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
    """Rank trials as `rank_trials` does those of a study."""
    complete = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    finite = [trial for trial in complete if math.isfinite(_value(trial))]
    return sorted(finite, key=lambda trial: (_value(trial), trial.number))


def best_trial(study: Study) -> FrozenTrial:
    """Give the trial of the lowest value; ValueError if none is complete."""
    ranked = rank_trials(study)
    if not ranked:
        raise ValueError(f"study {study.study_name}: expected a complete trial, got none")
    return ranked[0]


def top_trials(study: Study, top_k: int) -> list[FrozenTrial]:
    """Give the `top_k` best trials, best first.

    Parameters
    ----------
    study : Study
    top_k : int
        How many, at least 1.

    Returns
    -------
    trials : list of FrozenTrial
        Their hyperparameters are in ``trial.params``.

    Raises
    ------
    ValueError
        If `top_k` is below 1, or the study has fewer complete trials with a finite value.
    """
    ranked = rank_trials(study)
    if not 1 <= top_k <= len(ranked):
        raise ValueError(
            f"top_k: expected 1 to {len(ranked)}, the complete trials of study {study.study_name}; "
            f"got {top_k}"
        )
    return ranked[:top_k]


def valid_losses(study: Study) -> dict[int, float]:
    """Give the value of each complete trial by its number, best first."""
    return {trial.number: _value(trial) for trial in rank_trials(study)}


def check_fingerprint(
    study: Study, fingerprint: Mapping[str, Any], source: object = "study"
) -> None:
    """Check that a study's trials depend on what this run does.

    A released study says nothing of it: a warning is logged, for nobody can check.

    Parameters
    ----------
    study : Study
    fingerprint : mapping
        As was given to `tune`.
    source : path-like, optional
        The study's database, for the messages.

    Raises
    ------
    ValueError
        If the study was tuned with another fingerprint; each key that differs is named.
    """
    if FINGERPRINT in study.user_attrs:
        check_attribute(study, FINGERPRINT, fingerprint, source)
    else:
        logger.warning(
            "%s does not say what its trials depend on: whether they suit these data is not checked",
            source,
        )


def check_attribute(
    study: Study, attribute: str, expected: Mapping[str, Any], source: object
) -> None:
    """Compare a dict among a study's attributes; ValueError names each key that differs."""
    expected = json.loads(json.dumps(expected))  # as the database keeps it: tuples become lists
    stored, missing = study.user_attrs[attribute], "nothing"
    differences = [
        f"{key}: the study has {stored.get(key, missing)!r}, "
        f"this run {expected.get(key, missing)!r}"
        for key in sorted(stored.keys() | expected.keys())
        if stored.get(key, missing) != expected.get(key, missing)
    ]
    if differences:
        raise ValueError(
            f"{source}: tuned with other settings: {'; '.join(differences)}. "
            "Give another models_folder, or move the database away to tune anew"
        )


def trials_table(study: Study) -> list[dict[str, Any]]:
    """Give one row per trial, in the order of their numbers; None for what a trial does not have.

    Parameters
    ----------
    study : Study
        Study of this project, or a released one.

    Returns
    -------
    rows : list of dict
        ``best_epoch`` is counted from 1, as in the progress of a training and in figures.
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
    """Let Optuna's messages go through the root logger, in its format and once."""
    optuna.logging.disable_default_handler()
    optuna.logging.enable_propagation()
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # `TuningProgress` says the rest


def _check_is_optunas(copy: Path, path: Path) -> None:
    """Refuse a database without a version of its tables, which Optuna would take for its own."""
    query = "SELECT version_num FROM alembic_version"
    code = (
        "SELECT name FROM sqlite_master WHERE type IN ('view', 'trigger') OR sql LIKE '%VIRTUAL%'"
    )
    try:
        with closing(sqlite3.connect(copy)) as connection:
            # Optuna makes tables alone; a view may never end
            if found := connection.execute(code).fetchall():
                raise ValueError(
                    f"{path}: expected a database of Optuna, with tables alone; found the view, "
                    f"trigger or virtual table {found[0][0]}"
                )
            versions = connection.execute(query).fetchall()
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: expected a database of Optuna; {error}") from error
    if len(versions) != 1:
        raise ValueError(
            f"{path}: expected a database of Optuna, with one version in its table "
            f"alembic_version; found {len(versions)}"
        )


def _into_memory(storage: BaseStorage, wanted: Callable[[str], bool], source: object) -> Study:
    """Copy the one study whose name is wanted; `source` is what messages call where it is kept."""
    names = sorted(filter(wanted, optuna.get_all_study_names(storage)))
    if len(names) != 1:
        raise ValueError(
            f"{source}: expected one study, found {len(names)}: {', '.join(names) or 'none'}"
        )
    check_direction(optuna.load_study(study_name=names[0], storage=storage), source)
    memory = InMemoryStorage()
    optuna.copy_study(from_study_name=names[0], from_storage=storage, to_storage=memory)
    return optuna.load_study(study_name=names[0], storage=memory)


def check_direction(study: Study, source: object) -> None:
    """Check that a study minimizes one value; trials of another cannot be ranked by it.

    Parameters
    ----------
    study : Study
        Study of this project, or a released one.
    source : path-like
        The study's database, for the message.

    Raises
    ------
    ValueError
        If it maximizes, or has several objectives.
    """
    directions = [direction.name.lower() for direction in study.directions]
    if directions != ["minimize"]:
        raise ValueError(
            f"{source}: The study has the directions {', '.join(directions)}; expected one value that "
            "is minimized, the validation loss."
        )


def _value(trial: FrozenTrial) -> float:
    return math.nan if trial.value is None else trial.value


def _copy_database(path: Path, copy: Path) -> None:
    """Copy a database that another process may be writing.

    Raises
    ------
    TimeoutError
        If another process keeps it locked.
    """
    if not path.is_file():  # a FIFO would be waited for
        raise ValueError(f"{path}: expected a sqlite database of Optuna, got no regular file")
    deadline = time.monotonic() + PATIENCE

    def check_time(*_: object) -> None:
        if time.monotonic() > deadline:
            raise TimeoutError(
                errno.ETIMEDOUT,
                f"Locked by another process for {PATIENCE:g} s. Try again when that has ended",
                str(path),
            )

    try:
        with (
            closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target, progress=check_time)
    except sqlite3.OperationalError:
        # A writer was killed in a transaction, or the folder cannot be written. What SQLite wrote beside
        # the file belongs to it: with that the copy is rolled back, or forward, instead.
        shutil.copyfile(path, copy)
        for suffix in ("-journal", "-wal"):
            beside = path.with_name(path.name + suffix)
            if beside.exists():
                shutil.copyfile(beside, copy.with_name(copy.name + suffix))
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: expected a sqlite database of Optuna; {error}") from error
