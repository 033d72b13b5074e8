"""Reading of studies, also of databases from earlier versions of Optuna."""

import errno
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import optuna
from optuna import Study
from optuna.storages import BaseStorage, InMemoryStorage

from multifield.tuning.storage import PATIENCE, StudyStorage, open_sqlite
from multifield.tuning.study import as_storage, check_direction, log_as_the_application

MAX_REASON = 200  # characters of a library's error message


def load_study(source: str | os.PathLike[str] | StudyStorage) -> Study:
    """Read a study of this project or a released one. Its storage stays unchanged.

    Released databases are from Optuna 2 and must be upgraded, so a temporary copy is read.
    Databases of Optuna 2.10 to 5 are tested. The returned study is in memory.

    Parameters
    ----------
    source : path-like or StudyStorage
        SQLite database with one study, or a storage that may contain many.

    Returns
    -------
    study : Study
        Study in memory.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ValueError
        If the file is not a database of Optuna, is from a later Optuna, cannot be read or upgraded,
        or does not contain exactly one study of this suite, field and recipe.
    ConnectionError
        If the database of a URL cannot be reached.
    """
    log_as_the_application()
    place = as_storage(source)
    if place.url is not None:
        return _into_memory(place.open(), place.is_own, place)
    if not place.exists():
        raise FileNotFoundError(f"study: The database {place} does not exist.")
    return _load_sqlite(place.path)


def _load_sqlite(path: Path) -> Study:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "study.db"
        _copy_database(path, copy)
        _check_is_optunas(copy, path)
        try:
            return _into_memory(open_sqlite(copy, upgrade=True, source=path), lambda _: True, path)
        except Exception as error:  # libraries raise anything for foreign tables
            if str(error).startswith(str(path)):
                raise
            reason = str(error.__cause__ or error).partition("\n")[0]  # SQL follows
            reason = reason[:MAX_REASON] or type(error).__name__
            raise ValueError(f"{path}: Cannot read or upgrade this database. {reason}") from error


def _check_is_optunas(copy: Path, path: Path) -> None:
    """Reject a database without Optuna's version table, which Optuna would fill with its own."""
    query = "SELECT version_num FROM alembic_version"
    code = (
        "SELECT name FROM sqlite_master WHERE type IN ('view', 'trigger') OR sql LIKE '%VIRTUAL%'"
    )
    try:
        with closing(sqlite3.connect(copy)) as connection:
            # Optuna creates tables alone; reading a view may never end
            if found := connection.execute(code).fetchall():
                raise ValueError(
                    f"{path}: Expected a database of Optuna, with tables only, got the view, "
                    f"trigger or virtual table {found[0][0]}."
                )
            versions = connection.execute(query).fetchall()
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: Expected a database of Optuna. {error}") from error
    if len(versions) != 1:
        raise ValueError(
            f"{path}: Expected a database of Optuna, with one version in its table "
            f"alembic_version, got {len(versions)}."
        )


def _into_memory(storage: BaseStorage, wanted: Callable[[str], bool], source: object) -> Study:
    """Copy the one study with a wanted name into memory. Messages name `source`."""
    names = sorted(filter(wanted, optuna.get_all_study_names(storage)))
    if len(names) != 1:
        raise ValueError(
            f"{source}: Expected one study, got {len(names)}: {', '.join(names) or 'none'}."
        )
    check_direction(optuna.load_study(study_name=names[0], storage=storage), source)
    memory = InMemoryStorage()
    optuna.copy_study(from_study_name=names[0], from_storage=storage, to_storage=memory)
    return optuna.load_study(study_name=names[0], storage=memory)


def _copy_database(path: Path, copy: Path) -> None:
    """Copy a database that another process may be writing.

    Raises
    ------
    TimeoutError
        If another process keeps it locked.
    """
    if not path.is_file():  # reading a FIFO would block
        raise ValueError(f"{path}: Expected a SQLite database, got something that is no file.")
    deadline = time.monotonic() + PATIENCE

    def check_time(*_: object) -> None:
        if time.monotonic() > deadline:
            raise TimeoutError(
                errno.ETIMEDOUT,
                f"Locked by another process for {PATIENCE:g} s. Try again when it has ended",
                str(path),
            )

    try:
        with (
            closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target, progress=check_time)
    except sqlite3.OperationalError:
        # A writer died in a transaction, or the folder is read-only. Copy SQLite's files beside the
        # database too, with which the copy is rolled back or forward.
        shutil.copyfile(path, copy)
        for suffix in ("-journal", "-wal"):
            beside = path.with_name(path.name + suffix)
            if beside.exists():
                shutil.copyfile(beside, copy.with_name(copy.name + suffix))
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: Expected a SQLite database of Optuna. {error}") from error
