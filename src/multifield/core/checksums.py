"""Checksums of files."""

import hashlib
from pathlib import Path


def sha256(path: str | Path) -> str:
    """SHA-256 of a file, read as a stream."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
