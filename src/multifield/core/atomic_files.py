"""Files that appear whole or not at all."""

import glob
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HOST = platform.node().partition(".")[0]
"""Where this process runs. Containers that share a folder often have equal numbers of processes."""


@contextmanager
def atomic_path(path: str | os.PathLike[str], staging: Path | None = None) -> Iterator[Path]:
    """Give a temporary path beside `path` that becomes `path` when the block ends well.

    The parent folder is made. If the block raises, the temporary file is removed and a file that was
    at `path` stays as it was; an OSError without a name, such as that of a full disk, gets it. A process
    killed in the block leaves `.<name>.<host>.<process>.partial`, which no reader takes for data and
    the next save on that host removes.

    Parameters
    ----------
    path : path-like
        Where the file shall be.
    staging : Path, optional
        Existing folder, on the same file system, for the temporary file. If another process removes the
        folder, the file does not appear.

    Yields
    ------
    partial : Path
        Where to write it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path)
    partial = (staging or path.parent) / f".{path.name}.{HOST}.{os.getpid()}.partial"
    try:
        yield partial
        with partial.open(
            "rb" if os.name != "nt" else "rb+"
        ) as written:  # Windows asks for a right to write
            os.fsync(written.fileno())
        partial.replace(path)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None and error.filename is None:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def _remove_leftovers(path: Path) -> None:
    """Remove what processes that were killed left of this file.

    Living ones are left alone, and so are those of other hosts that share the folder, of which nobody here
    knows whether they live.
    """
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.partial"):
        host, pid = leftover.name.removesuffix(".partial").split(".")[-2:]
        if host == HOST and pid.isdigit() and not _is_alive(int(pid)):
            leftover.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    if os.name == "nt":  # where signal 0 is Ctrl-C
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
