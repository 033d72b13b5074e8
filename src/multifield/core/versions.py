"""Versions of the software, and the commit of the source."""

import logging
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import multifield

PACKAGES = ("multifield", "torch", "optuna", "numpy", "kedro")


def describe_software() -> dict[str, str]:
    """Return the version of each package and of Python, and the ``commit`` of the source if known.

    The commit ends in ``-dirty`` if tracked files differ from it.
    """
    versions = {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}
    source = Path(multifield.__file__).resolve()
    commit = find_commit(source)
    if commit is None:
        return versions
    is_modified = bool(_git(source.parent, "status", "--porcelain", "-uno"))
    return versions | {"commit": commit + ("-dirty" if is_modified else "")}


def find_commit(file: Path) -> str | None:
    """Return the git commit of a file, or None if git does not track it.

    An installed package may be in an environment inside another repository.
    """
    if _git(file.parent, "ls-files", "--error-unmatch", file.name) is None:
        return None
    return _git(file.parent, "rev-parse", "HEAD")


def process_seconds() -> float:
    """Return the wall time [s] since this process imported `logging`, shortly after its start."""
    return logging.makeLogRecord({}).relativeCreated / 1000


def _git(folder: Path, *arguments: str) -> str | None:
    """Run git. None if it is not installed or fails."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
