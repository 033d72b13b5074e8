"""Which code made a file."""

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import multifield

PACKAGES = ("torch", "optuna", "numpy")


def software_versions() -> dict[str, str]:
    """Name the versions of this package, of Python and of what numbers depend on; the commit if known.

    Returns
    -------
    versions : dict of str to str
        ``commit`` is there if this source is tracked by git, and ends in ``-dirty`` if it was changed since.
    """
    versions = {"multifield": multifield.__version__, "python": platform.python_version()}
    versions |= {name: version(name) for name in PACKAGES}
    commit = _commit(Path(__file__).resolve())
    return versions | ({"commit": commit} if commit else {})


def _commit(path: Path) -> str | None:
    """Give the commit of the repository that tracks a file; None if none does, or there is no git."""
    if not _git(path.parent, "ls-files", path.name):  # installed inside somebody's repository
        return None
    return _git(path.parent, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")


def _git(folder: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
