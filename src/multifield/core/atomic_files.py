"""Atomic writes: a file is complete or absent."""

import glob
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

HOST = platform.node().partition(".")[0]
"""Name of this host. Containers that share a folder often have equal process ids."""


@contextmanager
def atomic_path(path: str | os.PathLike[str], staging: Path | None = None) -> Iterator[Path]:
    """Yield a temporary path that is renamed to `path` if the block succeeds.

    The parent folder is created. If the block raises, the temporary file is removed and an existing
    file at `path` is kept; an OSError without a file name, such as "disk full", gets `path`. A
    killed process leaves `.<name>.<host>.<process>.partial`. No reader loads it, and the next save
    on that host removes it.

    Parameters
    ----------
    path : path-like
        Path of the final file.
    staging : Path, optional
        Existing folder on the same file system for the temporary file. If another process removes
        the folder, the file is not written.

    Yields
    ------
    partial : Path
        Temporary path to write to.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path)
    partial = (staging or path.parent) / f".{path.name}.{HOST}.{os.getpid()}.partial"
    try:
        yield partial
        with partial.open(
            "rb" if os.name != "nt" else "rb+"
        ) as written:  # Windows needs write access
            os.fsync(written.fileno())
        partial.replace(path)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None and error.filename is None:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def write_json(path: str | os.PathLike[str], content: Any) -> None:
    """Write a pydantic dataclass atomically as JSON.

    Parameters
    ----------
    path : path-like
        Path of the file.
    content : object
        Pydantic dataclass.
    """
    with atomic_path(path) as partial:
        partial.write_bytes(TypeAdapter(type(content)).dump_json(content, indent=2))


def _remove_leftovers(path: Path) -> None:
    """Remove temporary files of killed processes on this host.

    Files of running processes and of other hosts are kept.
    """
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.partial"):
        host, pid = leftover.name.removesuffix(".partial").split(".")[-2:]
        if host == HOST and pid.isdigit() and not _is_alive(int(pid)):
            leftover.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    if os.name == "nt":  # signal 0 is Ctrl-C there
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
