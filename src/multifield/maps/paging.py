"""What the system is told of the pages of a memory map."""

import mmap

import numpy as np

from multifield.arrays import StoredMaps


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
