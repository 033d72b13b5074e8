"""Where a study is kept: a database file, a journal, or a server that many studies share."""

import logging
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import optuna
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import BaseStorage, GrpcStorageProxy, RDBStorage, get_storage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock, JournalStorage
from sqlalchemy import Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool, QueuePool

from multifield.models import ModelFolder
from multifield.tuning.config import PROXY, check_storage

PATIENCE = 60.0  # [s] with a busy database, before the run stops
PROXY_PATIENCE = 15.0  # [s] for a proxy to answer
BUSY = ("too many clients", "remaining connection slots", "starting up")  # what a server says then
TABLES_LOCK = 0x6D756C7469  # number of the server's lock while tables are made; any, but one
CREDENTIALS = ("host", "port", "dbname", "username", "password")


@dataclass(frozen=True)
class StudyFile:
    """A file with one study; a subclass says of which kind."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    def name_of(self, study_name: str) -> str:
        """Give the name as it is."""
        return study_name

    def exists(self) -> bool:
        """Say whether the file is there."""
        return self.path.is_file()


class SqliteFile(StudyFile):
    """A database of its own, as the benchmark has them."""

    def open(self) -> BaseStorage:
        """Open the database; no connection stays open between two calls."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return get_storage(open_sqlite(self.path))


class JournalFile(StudyFile):
    """A file to which lines are added: for a disk that many machines share, where SQLite fails."""

    def open(self) -> BaseStorage:
        """Open the journal, locked by a file beside it while a line is added."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lock = JournalFileOpenLock(str(self.path))
        return JournalStorage(JournalFileBackend(str(self.path), lock_obj=lock))


@dataclass(frozen=True)
class StudyServer:
    """Where studies of many suites, fields and recipes are; a subclass says how to get there."""

    url: str
    study: str

    def __str__(self) -> str:
        return f"{self.url} (study {self.study})"

    def name_of(self, study_name: str) -> str:
        """Give the name, with what tells the study from others on the server."""
        return f"{study_name}/{self.study}"

    def is_of(self, name: str) -> bool:
        """Say whether a study on the server has such a name."""
        return name.endswith(f"/{self.study}")


@dataclass(frozen=True)
class DatabaseServer(StudyServer):
    """A study among others on a PostgreSQL server.

    Parameters
    ----------
    url : str
        Such as ``postgresql+psycopg://host:5432/database``. What it and `credentials` leave out is taken
        from the environment variables of libpq: PGHOST, PGUSER, PGPASSWORD, PGPASSFILE and so on.
    study : str
        Tells the study from others there: suite, field and recipe, as in the names of files.
    credentials : mapping, optional
        Any of host, port, dbname, username and password. Never shown.

    Raises
    ------
    ValueError
        If the URL has a password, which logs and shells would show, or is none.
    """

    credentials: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        check_storage(self.url)
        if unknown := sorted(self.credentials.keys() - set(CREDENTIALS)):
            raise ValueError(
                f"credentials: expected {', '.join(CREDENTIALS)}; got {', '.join(unknown)}"
            )

    def exists(self) -> bool:
        """Ask the server whether it has the study."""
        with self._named_errors(), self._engine().begin() as connection:
            if connection.execute(text("SELECT to_regclass('studies')")).scalar() is None:
                return False  # nobody has tuned there yet
            names = connection.execute(text("SELECT study_name FROM studies")).scalars()
            return any(self.is_of(name) for name in names)

    def open(self) -> BaseStorage:
        """Connect once; `close_connections` lets go of it where there is nothing to ask for a while."""
        with self._named_errors(), self._engine().begin() as connection:
            if self._has_tables(connection):
                return self._open()
            # workers that start together would all make the tables
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": TABLES_LOCK})
            return self._open()

    def _open(self) -> BaseStorage:
        options = {
            "poolclass": QueuePool,
            "pool_size": 1,
            "pool_pre_ping": True,  # the server may have been restarted meanwhile
            "creator": self._connect,
        }
        return get_storage(RDBStorage(self.url, engine_kwargs=options))

    @staticmethod
    def _has_tables(connection: Connection) -> bool:
        """Whether all are there: the version of their schema is the last thing that Optuna writes."""
        if connection.execute(text("SELECT to_regclass('alembic_version')")).scalar() is None:
            return False
        return bool(connection.execute(text("SELECT count(*) FROM alembic_version")).scalar())

    def _engine(self) -> Engine:
        return create_engine(self.url, poolclass=NullPool, creator=self._connect)

    def _connect(self) -> Any:
        """Connect; a server that is busy is asked again for a while."""
        import psycopg  # of the extra `cluster`

        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                # nothing is prepared, so that pgbouncer may give each transaction another connection
                return psycopg.connect(prepare_threshold=None, **self._options())
            except psycopg.OperationalError as error:
                busy = any(words in str(error) for words in BUSY)
                if not busy or time.monotonic() > deadline:
                    raise
            time.sleep(0.5)

    def _options(self) -> dict[str, Any]:
        url = make_url(self.url)
        options = dict(url.query) | {
            "host": url.host,
            "port": url.port,
            "dbname": url.database,
            "user": url.username,
        }
        given = {("user" if k == "username" else k): v for k, v in self.credentials.items()}
        return {name: value for name, value in (options | given).items() if value is not None}

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        """Say which server, and never how it was asked."""
        try:
            yield
        except ImportError:
            raise ImportError(
                f"{self.url}: needs psycopg; pip install 'multifield[cluster]'"
            ) from None
        except (SQLAlchemyError, StorageInternalError) as error:
            reason = str(error.__cause__ or error).strip().splitlines()[0]
            raise ConnectionError(f"{self.url}: {reason}") from None


class StudyProxy(StudyServer):
    """The same behind Optuna's gRPC proxy, which has the connections to the server for all workers.

    The URL is ``grpc://<host>:<port>``. Whoever reaches the port reads and writes studies: it knows no
    password, and belongs into a network that can be trusted.
    """

    def exists(self) -> bool:
        """Ask the proxy whether it has the study."""
        storage = self.open()
        try:
            return any(self.is_of(name) for name in optuna.get_all_study_names(storage))
        finally:
            storage.close()

    def open(self) -> GrpcStorageProxy:
        """Connect; ConnectionError if nobody answers for a while."""
        address = urlsplit(self.url)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)  # the tests would notice a change
            try:
                storage = GrpcStorageProxy(host=str(address.hostname), port=int(address.port or 0))
                storage.wait_server_ready(PROXY_PATIENCE)
            except ImportError:
                raise ImportError(
                    f"{self.url}: needs grpcio; pip install 'multifield[proxy]'"
                ) from None
            except ConnectionError:
                raise ConnectionError(
                    f"{self.url}: expected Optuna's proxy, nobody answered for {PROXY_PATIENCE:g} s"
                ) from None
        return storage


StudyStorage = SqliteFile | JournalFile | DatabaseServer | StudyProxy
# what a folder has beside its weights for each way to keep its study, by the end of its name
MARKS: Mapping[type[StudyFile | StudyServer], str] = {
    SqliteFile: ".db",
    JournalFile: ".journal",
    StudyServer: ".server.json",
}
"""A place for a study: each has `name_of`, `exists` and `open`."""


def choose_storage(
    storage: str, folder: ModelFolder, credentials: Mapping[str, Any] | None = None
) -> StudyStorage:
    """Give the place of a folder's study.

    Parameters
    ----------
    storage : str
        ``sqlite`` or ``journal``, which are files in the folder, or the URL of a `DatabaseServer` or
        `StudyProxy`.
    folder : ModelFolder
        Where weights and losses go; its names tell the study from others.
    credentials : mapping, optional
        Of a database server; a proxy has them itself.
    """
    if storage == "sqlite":
        return SqliteFile(folder.database)
    if storage == "journal":
        return JournalFile(folder.database.with_suffix(MARKS[JournalFile]))
    if storage.startswith(f"{PROXY}://"):
        return StudyProxy(check_storage(storage), folder.database.stem)
    return DatabaseServer(storage, folder.database.stem, credentials or {})


def close_connections(storage: BaseStorage) -> None:
    """Leave a server's connections to other workers; the next call opens one again."""
    backend = getattr(storage, "_backend", None)  # behind Optuna's cache
    if isinstance(backend, RDBStorage):
        backend.engine.dispose()


def open_sqlite(path: Path, *, upgrade: bool = False, source: Path | None = None) -> RDBStorage:
    """Open a sqlite database as Optuna's storage; no connection stays open between two calls.

    With `upgrade` a database of an earlier Optuna is changed to today's tables; ValueError, which
    names `source`, if it is of a later one.
    """
    url = f"sqlite:///{path.as_posix()}"
    storage = RDBStorage(
        url,
        # one writes at a time, and many may wait for it
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
