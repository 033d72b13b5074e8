"""Where a study is stored: a SQLite file beside its networks, or a URL of Optuna's own storage."""

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

PATIENCE = 60.0  # [s] to wait for a busy SQLite file, such as one that a dashboard reads


@dataclass(frozen=True)
class StudyStorage:
    """Storage of one study.

    Attributes
    ----------
    path : Path
        SQLite database with this study alone, as the benchmark has them.
    url : str or None
        URL of a database that Optuna's ``RDBStorage`` takes. It may hold many studies; this one's name
        there ends in the stem of `path`. None stores the study in `path`.
    """

    path: Path
    url: str | None = None

    def __str__(self) -> str:
        return str(self.path) if self.url is None else f"{self.url} (study {self.path.stem})"

    def name_of(self, study_name: str) -> str:
        """Give the name of the study in this storage."""
        return study_name if self.url is None else f"{study_name}/{self.path.stem}"

    def is_own(self, name: str) -> bool:
        """Say whether a study in this storage is the one meant."""
        return self.url is None or name.endswith(f"/{self.path.stem}")

    def exists(self) -> bool:
        """Say whether the study is there; nothing is made."""
        if self.url is None:
            return self.path.is_file()
        with self._named_errors():
            engine = create_engine(self.url, poolclass=NullPool)
            if not inspect(engine).has_table("studies"):
                return False
            return any(map(self.is_own, optuna.get_all_study_names(self.open())))

    def open(self) -> BaseStorage:
        """Open the database, and make it where it is not there.

        Raises
        ------
        ConnectionError
            If the server of the URL does not answer or refuses.
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
        """Name the database, and never its password."""
        try:
            yield
        except ImportError as error:
            raise ImportError(
                f"{self.url}: Python has no driver for this database ({error}). Install one, such as "
                "psycopg for PostgreSQL."
            ) from None
        except (SQLAlchemyError, StorageInternalError) as error:
            reason = str(error.__cause__ or error).strip().splitlines()[0]
            raise ConnectionError(f"{self.url}: {reason}") from None


def choose_storage(storage: str, folder: ModelFolder) -> StudyStorage:
    """Give the storage of a folder's study.

    Parameters
    ----------
    storage : str
        ``sqlite`` for the file in the folder, or the URL of a database. Passwords come from the
        environment of its driver, such as PGPASSWORD.
    folder : ModelFolder
        Folder of weights and losses. Its names tell the study from others.

    Returns
    -------
    storage : StudyStorage
        Nothing is opened yet.
    """
    check_storage(storage)
    return StudyStorage(folder.database, None if storage == "sqlite" else storage)


def open_sqlite(path: Path, *, upgrade: bool = False, source: Path | None = None) -> RDBStorage:
    """Open a sqlite database as Optuna's storage; no connection stays open between two calls.

    With `upgrade` a database of an earlier Optuna is changed to today's tables; ValueError, which
    names `source`, if it is of a later one.
    """
    url = f"sqlite:///{path.as_posix()}"
    storage = RDBStorage(
        url,
        engine_kwargs={"poolclass": NullPool, "connect_args": {"timeout": PATIENCE}},
        skip_compatibility_check=upgrade,
        skip_table_creation=upgrade,  # a table that is lost would come back empty
    )
    if upgrade and (version := storage.get_current_version()) != storage.get_head_version():
        if version not in storage.get_all_versions():
            raise ValueError(
                f"{source or path}: expected a database that Optuna {optuna.__version__} knows, got "
                f"one with tables of version {version}; a newer Optuna may read it"
            )
        _upgrade(storage)
    return storage


def _upgrade(storage: RDBStorage) -> None:
    root, handler = logging.getLogger(), logging.NullHandler()
    root.addHandler(handler)  # where the root logger has none, the upgrade configures logging anew
    try:
        with warnings.catch_warnings():
            # Optuna 3 renamed the distributions that an old database is full of
            warnings.simplefilter("ignore", FutureWarning)
            storage.upgrade()
    finally:
        root.removeHandler(handler)
