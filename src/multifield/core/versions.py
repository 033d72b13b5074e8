"""Which code ran: versions, commit, machine."""

import logging
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import multifield

PACKAGES = ("multifield", "torch", "optuna", "numpy", "kedro")


def describe_software() -> dict[str, str]:
    """Give the version of each package and of Python, and the ``commit`` of the source if there is one.

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
    """Give the git commit of a file; None if it is in no repository, or not tracked there.

    An installed package may lie in an environment inside somebody else's repository.
    """
    if _git(file.parent, "ls-files", "--error-unmatch", file.name) is None:
        return None
    return _git(file.parent, "rev-parse", "HEAD")


def process_seconds() -> float:
    """Give the wall time since this process began, or nearly: since it imported `logging`."""
    return logging.makeLogRecord({}).relativeCreated / 1000


def _git(folder: Path, *arguments: str) -> str | None:
    """Run git; None where it is not installed, or says no."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
