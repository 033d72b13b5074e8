"""Which code ran: versions, commit, machine."""

import logging
import platform
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import multifield

PACKAGES = ("multifield", "torch", "optuna", "numpy", "kedro")


@dataclass(frozen=True)
class Software:
    """The code of a process.

    Attributes
    ----------
    versions : dict of str
        Package -> version; Python among them.
    commit : str or None
        Git commit of this package's source; None if it is not in a repository.
    modified : bool
        Whether tracked files differ from that commit.
    """

    versions: dict[str, str]
    commit: str | None
    modified: bool

    def to_dict(self) -> dict[str, str]:
        """Give the versions, and the ``commit`` where there is one; it ends in ``-dirty`` if modified."""
        if self.commit is None:
            return self.versions
        return self.versions | {"commit": self.commit + ("-dirty" if self.modified else "")}


def describe_software() -> Software:
    """Say which code this process runs."""
    versions = {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}
    commit = find_commit(Path(multifield.__file__).resolve())
    modified = commit is not None and bool(
        _git(Path(multifield.__file__).resolve().parent, "status", "--porcelain", "-uno")
    )
    return Software(versions, commit, modified)


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
