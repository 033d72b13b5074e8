"""How maps lie in memory: the pages of a memory map, buffers that begin with a cache line."""

import math
import mmap
from typing import Any

import numpy as np

from multifield.arrays import StoredMaps

CACHE_LINE = 64  # [bytes]; also the widest vector


def mapping_of(maps: StoredMaps) -> mmap.mmap | None:
    """Return the memory map behind an array, if there is one."""
    base: object = maps
    while isinstance(base, np.ndarray):
        base = base.base
    return base if isinstance(base, mmap.mmap) else None


def advise(mapping: mmap.mmap | None, maps: StoredMaps, advice: str) -> None:
    """Tell the system what comes of a block of a memory map; nothing where it does not listen.

    Parameters
    ----------
    mapping : mmap or None
        Of `mapping_of`.
    maps : (N, L, L)
        A block of its maps.
    advice : str
        Name of a constant of the module `mmap`, such as ``MADV_DONTNEED``.
    """
    if mapping is None or not len(maps) or not hasattr(mmap, advice):
        return
    start = maps.ctypes.data - np.frombuffer(mapping, np.uint8).ctypes.data
    page = start // mmap.PAGESIZE * mmap.PAGESIZE
    mapping.madvise(getattr(mmap, advice), page, start + maps.nbytes - page)


def aligned_empty(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Make an uninitialized array that begins with a cache line, which `numpy.empty` does not promise.

    A gather into it writes whole lines past the caches.
    """
    n_bytes = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(n_bytes + CACHE_LINE, np.uint8)
    begin = -memory.ctypes.data % CACHE_LINE
    array: np.ndarray = memory[begin : begin + n_bytes].view(dtype).reshape(shape)
    return array
