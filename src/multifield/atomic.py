"""Files that appear whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path` that becomes `path` when the block ends well.

    The parent folder is made. If the block raises, the temporary file is removed and a file that was
    at `path` stays as it was. A process killed in the block leaves `.<name>.partial`, which no reader
    takes for data and the next save overwrites.

    Parameters
    ----------
    path : path-like
        Where the file shall be.

    Yields
    ------
    partial : Path
        Where to write it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        yield partial
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
