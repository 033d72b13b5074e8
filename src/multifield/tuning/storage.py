"""Storage of a study: a SQLite file beside its networks, or the URL of a database."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, RDBStorage, get_storage
from sqlalchemy import create_engine, inspect
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from multifield.config.tuning import check_storage
from multifield.models import ModelFolder

PATIENCE = 60.0  # [s] to wait for a locked SQLite file, for instance read by a dashboard


@dataclass(frozen=True)
class StudyStorage:
    """Storage of one study.

    Attributes
    ----------
    path : Path
        SQLite database that contains this study alone, as in the benchmark.
    url : str or None
        URL of a database for Optuna's ``RDBStorage``. It may contain many studies; the name of this
        one ends with the stem of `path`. None stores the study in `path`.
    """

    path: Path
    url: str | None = None

    def __str__(self) -> str:
        return str(self.path) if self.url is None else f"{self.url} (study {self.path.stem})"

    def name_of(self, study_name: str) -> str:
        """Return the name of the study in this storage."""
        return study_name if self.url is None else f"{study_name}/{self.path.stem}"

    def is_own(self, name: str) -> bool:
        """Return whether a name in this storage is that of this study."""
        return self.url is None or name.endswith(f"/{self.path.stem}")

    def exists(self) -> bool:
        """Return whether the study exists. Nothing is created."""
        if self.url is None:
            return self.path.is_file()
        with self._named_errors():
            engine = create_engine(self.url, poolclass=NullPool)
            if not inspect(engine).has_table("studies"):
                return False
            return any(map(self.is_own, optuna.get_all_study_names(self.open())))

    def open(self) -> BaseStorage:
        """Open the database. It is created if it does not exist.

        Raises
        ------
        ConnectionError
            If the database server does not answer or denies access.
        ImportError
            If Python has no driver for the URL.
        """
        if self.url is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            return get_storage(open_sqlite(self.path))
        with self._named_errors():
            return get_storage(RDBStorage(self.url, engine_kwargs={"poolclass": NullPool}))

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        """Raise errors that name the database, but never its password."""
        try:
            yield
        except ImportError as error:
            raise ImportError(
                f"{self.url}: Python has no driver for this database ({error}). Install one, such "
                "as psycopg for PostgreSQL."
            ) from None
        except (SQLAlchemyError, StorageInternalError) as error:
            reason = str(error.__cause__ or error).strip().splitlines()[0]
            raise ConnectionError(f"{self.url}: {reason}") from None


def choose_storage(storage: str, folder: ModelFolder) -> StudyStorage:
    """Return the storage of the study of a folder.

    Parameters
    ----------
    storage : str
        ``sqlite`` for the file in the folder, or the URL of a database. Passwords come from the
        environment of its driver, such as PGPASSWORD.
    folder : ModelFolder
        Folder of weights and losses. Its name identifies the study.

    Returns
    -------
    storage : StudyStorage
        Storage, not opened yet.
    """
    check_storage(storage)
    return StudyStorage(folder.database, None if storage == "sqlite" else storage)


def open_sqlite(path: Path, *, upgrade: bool = False, source: Path | None = None) -> RDBStorage:
    """Open a SQLite database as an Optuna storage without persistent connections.

    `upgrade` converts a database of an earlier Optuna to the current tables. It raises a ValueError
    that names `source` if the database is from a later Optuna.
    """
    url = f"sqlite:///{path.as_posix()}"
    storage = RDBStorage(
        url,
        engine_kwargs={"poolclass": NullPool, "connect_args": {"timeout": PATIENCE}},
        skip_compatibility_check=upgrade,
        skip_table_creation=upgrade,  # otherwise a lost table would be created empty
    )
    if upgrade and (version := storage.get_current_version()) != storage.get_head_version():
        if version not in storage.get_all_versions():
            raise ValueError(
                f"{source or path}: Expected a database that Optuna {optuna.__version__} can read, "
                f"got tables of version {version}. Use a newer Optuna."
            )
        _upgrade(storage)
    return storage


def _upgrade(storage: RDBStorage) -> None:
    root, handler = logging.getLogger(), logging.NullHandler()
    root.addHandler(handler)  # without a handler, the upgrade would configure logging
    try:
        with warnings.catch_warnings():
            # old databases contain distributions that Optuna 3 renamed
            warnings.simplefilter("ignore", FutureWarning)
            storage.upgrade()
    finally:
        root.removeHandler(handler)
