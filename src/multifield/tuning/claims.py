"""Who trains which trial: a claim, which its worker keeps alive and another may take over.

A claim is a folder in the model folder, which all workers of a study share::

    claims/<study>/<name>/<token>/alive

Every change of hands is one rename, which a file system does once or not at all:

- taken: a folder prepared under another name is renamed to ``<name>``, which fails where there is one, or
  where another worker took the unfinished folder for a dead one's and removed it;
- taken over: ``<token>`` is renamed to the new worker's, which works for one of several;
- used: files are published by way of ``<token>``, which fails for a worker that was taken for dead.

A worker is dead where ``alive`` was not touched for the grace period, by the clock of its file system; or
at once where it ran on this machine and its lock on ``alive`` is gone. Neither needs a database, so that
trials are shared alike over SQLite, a journal and a server.
"""

import errno
import fcntl
import json
import logging
import os
import random
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO

from multifield.models import ModelFolder

logger = logging.getLogger(__name__)

ALIVE = "alive"
CLOCK_PERIOD = 1.0  # [s] for which a look at the file system's clock is good
QUICKER = (
    errno.ENOENT,
    errno.ENOTEMPTY,
    errno.EEXIST,
)  # of a rename that another worker forestalled


class ClaimLostError(RuntimeError):
    """Another worker took this one for dead, and has its trial now."""


class Claims:
    """All claims on the trials of one study.

    Parameters
    ----------
    path : Path
        Folder of the claims; made when one is taken, and removed with the last.
    heartbeat : float
        Between two signs of life, [s].
    grace : float
        After how long a silence a worker is taken for dead, [s].
    """

    def __init__(self, path: Path, heartbeat: float, grace: float) -> None:
        self.path = path
        self.heartbeat = heartbeat
        self.grace = grace
        self._clock: tuple[float, float] | None = None  # the file system's, ours when it was read

    @classmethod
    def of(cls, folder: ModelFolder, heartbeat: float, grace: float) -> "Claims":
        """Give the claims of the study of this folder."""
        return cls(folder.path / "claims" / folder.database.stem, heartbeat, grace)

    def take(self, name: str) -> "Claim | None":
        """Claim a name, from nobody or from a worker that died; None while one has it that lives."""
        place = self.path / name
        holder = _holder(place)
        if holder is not None and not self._is_dead(holder):
            return None
        prepared, lock = _prepare(self.path)
        taken = place / prepared.name
        try:
            if holder is None:
                prepared.parent.rename(place)
            else:
                holder.rename(taken)
                (prepared / ALIVE).replace(taken / ALIVE)
        except OSError as error:
            lock.close()
            if error.errno not in QUICKER:
                raise
            return None
        finally:
            _remove(prepared)
        return Claim(self, taken, lock)

    def wait_for(self, name: str) -> "Claim":
        """Claim a name as soon as nobody has it."""
        while (claim := self.take(name)) is None:
            time.sleep(min(random.uniform(0.1, 0.5), self.heartbeat))
        return claim

    def remove_dead(self) -> None:
        """Remove the claims of workers that died having one, and those that they had not named yet."""
        for place in sorted(self.path.glob("[!.]*")):
            if (claim := self.take(place.name)) is not None:
                claim.release()
        for unnamed in self.path.glob(".*/"):
            holder = _holder(unnamed)
            if holder is None:
                with suppress(OSError):
                    unnamed.rmdir()
            elif self._is_dead(holder):
                _remove(holder)
        self.tidy()

    def tidy(self) -> None:
        """Remove the folder if nobody has a claim."""
        with suppress(OSError):
            self.path.rmdir()
            self.path.parent.rmdir()

    def _is_dead(self, holder: Path) -> bool:
        try:
            # opened, not only looked at: NFS then asks the server for the time of the last touch
            with (holder / ALIVE).open("rb") as file:
                silence = self._now() - os.fstat(file.fileno()).st_mtime
                if silence > self.grace:
                    return True
                return json.load(file)["machine"] == _machine() and not _is_locked(file)
        except FileNotFoundError:
            return True  # given back in this moment, or by one that died doing so

    def _now(self) -> float:
        """Time of the file system, whose clock may differ from this machine's, [s]."""
        ours = time.monotonic()
        if self._clock is None or ours - self._clock[1] > CLOCK_PERIOD:
            # a file without a name where there are such: a kill in this moment leaves nothing
            with tempfile.TemporaryFile(dir=self.path, prefix=".clock.") as probe:
                self._clock = os.fstat(probe.fileno()).st_mtime, ours
        return self._clock[0] + ours - self._clock[1]


class Claim:
    """A claim that this process has; a context that keeps it alive, and gives it back at the end."""

    def __init__(self, claims: Claims, path: Path, lock: IO[str]) -> None:
        self._claims = claims
        self._path = path
        self._alive = path / ALIVE
        self._lock = lock  # open for as long as this process lives, or gives the claim back
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> "Claim":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        self.release()

    def check(self) -> None:
        """Raise ClaimLostError if another worker has the claim now; a sign of life if not."""
        try:
            os.utime(self._alive)
        except FileNotFoundError:
            raise self._lost() from None

    def publish(self, path: Path, write: Callable[[Path], None]) -> None:
        """Let a file appear at `path` if the claim is still this worker's when it does.

        Parameters
        ----------
        path : Path
            Where the file shall be, on the file system of the claims.
        write : callable
            Writes it at the path that it is given.

        Raises
        ------
        ClaimLostError
            If another worker has the claim; `path` is as that one left it.
        """
        self.check()
        for pattern in (f".{path.name}.*.staged", f"..{path.name}.*.staged.*.partial"):
            for leftover in path.parent.glob(pattern):  # of workers that had this trial and died
                leftover.unlink(missing_ok=True)
        staged = path.with_name(f".{path.name}.{self._path.name}.staged")
        try:
            write(staged)
            staged.replace(self._path / path.name)
            (self._path / path.name).replace(path)
        except FileNotFoundError as error:
            raise self._lost() from error
        finally:
            staged.unlink(missing_ok=True)

    def release(self) -> None:
        """Give the claim back, for anybody to take."""
        _remove(self._path)
        self._lock.close()
        self._claims.tidy()

    def _beat(self) -> None:
        while not self._stop.wait(self._claims.heartbeat):
            try:
                os.utime(self._alive)
            except FileNotFoundError:
                return  # `check` says so to the worker
            except OSError as error:
                logger.warning("%s: no sign of life could be given: %s", self._alive, error)

    def _lost(self) -> ClaimLostError:
        return ClaimLostError(
            f"{self._path.parent}: this worker was silent for more than {self._claims.grace:g} s, and "
            "another has its trial"
        )


def _holder(place: Path) -> Path | None:
    """Give the folder of the worker that has a claim."""
    try:
        return next(place.iterdir(), None)
    except FileNotFoundError:
        return None


def _prepare(path: Path) -> tuple[Path, IO[str]]:
    """Make a claim that has no name yet; its sign of life is locked while the file returned is open."""
    token = uuid.uuid4().hex
    prepared = path / f".{token}" / token
    while True:
        with suppress(FileNotFoundError):  # another worker tidied up in this moment
            prepared.mkdir(parents=True, exist_ok=True)
            return prepared, _begin_life(prepared)


def _begin_life(folder: Path) -> IO[str]:
    """Let the sign of life appear, locked and whole: who sees less takes its worker for dead."""
    new = folder / f".{ALIVE}"
    lock = new.open("w")
    try:
        with suppress(OSError):  # not every file system has locks: `grace` alone tells there
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        told = {"machine": _machine(), "host": os.uname().nodename, "process": os.getpid()}
        json.dump(told, lock)
        lock.flush()
        os.fsync(lock.fileno())  # other machines see what has reached the disk
        new.rename(folder / ALIVE)
    except BaseException:
        lock.close()
        raise
    return lock


def _is_locked(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:  # locked, or nobody can tell
        return True
    return False


def _remove(folder: Path) -> None:
    """Remove the folder of a worker and the one around it, as far as they are there."""
    with suppress(OSError):  # lost to another worker, or another has taken the name already
        for path in folder.iterdir():
            path.unlink(missing_ok=True)
        folder.rmdir()
        folder.parent.rmdir()


def _machine() -> str:
    """Tell this boot of this machine from every other; containers on one machine share it."""
    boot = Path("/proc/sys/kernel/random/boot_id")  # Linux
    return boot.read_text().strip() if boot.is_file() else f"{os.uname().nodename}-{uuid.getnode()}"
