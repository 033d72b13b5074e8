"""Checksums of files and digests of maps."""

import hashlib
from pathlib import Path

import numpy as np
import xxhash

from multifield.core.arrays import Digests, StoredMaps


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file as a hexadecimal string."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def map_digests(maps: StoredMaps) -> Digests:
    """Return the digest of each map. It detects accidents, not forgeries.

    Parameters
    ----------
    maps : (N, L, L) float32 or float16
        Maps in C order.

    Returns
    -------
    digests : (N,) uint64
        Digest of the bytes of each map.
    """
    return np.array([xxhash.xxh3_64_intdigest(each) for each in maps], np.uint64)


def join_digests(digests: Digests) -> str:
    """Return one digest of all maps of a file as a hexadecimal string."""
    return xxhash.xxh3_64_hexdigest(digests.astype("<u8").tobytes())
