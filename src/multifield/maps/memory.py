"""How maps come from their files into memory: memory maps, the files behind them, buffers of batches."""

import math
import mmap
import os
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from multifield.arrays import StoredMaps

Allocate = Callable[[tuple[int, ...], Any], np.ndarray]
"""Makes an array of a shape and a dtype, uninitialized, as `numpy.empty` does."""

CACHE_LINE = 64  # [bytes]; also the widest vector

# The open file behind each memory map, whose name may by now be another file's; and where the map begins.
_files: "weakref.WeakKeyDictionary[mmap.mmap, tuple[int, int]]" = weakref.WeakKeyDictionary()


def map_file(path: Path, dtype: DTypeLike, shape: tuple[int, ...], offset: int) -> np.memmap:
    """Memory-map an array in a file, read-only, and keep the file open: see `place_in_file`."""
    with path.open("rb") as file:
        maps = np.memmap(file, dtype=dtype, mode="r", offset=offset, shape=shape)
        descriptor = os.dup(file.fileno())
    maps.filename = path.resolve()  # type: ignore[assignment]  # as `numpy.memmap` has of a path
    mapping = _mapping_of(maps)
    assert mapping is not None
    _files[mapping] = (descriptor, offset - offset % mmap.ALLOCATIONGRANULARITY)
    weakref.finalize(mapping, os.close, descriptor)
    return maps


def place_in_file(maps: StoredMaps) -> tuple[int, int] | None:
    """Say where consecutive maps are in the file that they are mapped from.

    Kernels that use a map once read it from there: that costs a copy within the cache, and spares what
    pages of a memory map cost: to fault them in, and to tell all cores that they are given back.

    Parameters
    ----------
    maps : (N, L, L)
        Of `map_file`, or a slice of it.

    Returns
    -------
    descriptor, offset : int
        Of the open file, and of the first map in it [bytes]; or None for any other array.
    """
    mapping = _mapping_of(maps)
    if mapping is None or mapping not in _files or not maps.flags.c_contiguous:
        return None
    descriptor, start = _files[mapping]
    return descriptor, start + maps.ctypes.data - np.frombuffer(mapping, np.uint8).ctypes.data


def read_ahead(maps: StoredMaps) -> None:
    """Let the system read a block of a memory map's file while others are computed; it may not listen."""
    place = place_in_file(maps)
    if place is not None and len(maps) and hasattr(os, "posix_fadvise"):
        os.posix_fadvise(*place, maps.nbytes, os.POSIX_FADV_WILLNEED)


def _mapping_of(maps: StoredMaps) -> mmap.mmap | None:
    """Return the memory map behind an array, if there is one."""
    base: object = maps
    while isinstance(base, np.ndarray):
        base = base.base
    return base if isinstance(base, mmap.mmap) else None


class Buffers:
    """Rings of equal buffers, lent to one user after another, who may be threads.

    Fresh memory costs more than most of what is done in it: the system clears it page by page.

    Parameters
    ----------
    allocate : callable
        Makes a buffer of a shape and a dtype, uninitialized.
    n : int
        Buffers of a ring.
    shape : tuple of int
    dtype : dtype
    """

    def __init__(self, allocate: Allocate, n: int, shape: tuple[int, ...], dtype: Any) -> None:
        self._make: Callable[[], list[np.ndarray]] = lambda: [
            allocate(shape, dtype) for _ in range(n)
        ]
        self._spare: list[list[np.ndarray]] = []

    @contextmanager
    def borrow(self) -> Iterator[list[np.ndarray]]:
        """Lend a ring: one that came back, or a new one where all are in use."""
        try:
            ring = self._spare.pop()
        except IndexError:
            ring = self._make()
        try:
            yield ring
        finally:
            self._spare.append(ring)


def aligned_empty(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Make an uninitialized array that begins with a cache line, which `numpy.empty` does not promise.

    A gather into it writes whole lines past the caches.
    """
    n_bytes = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(n_bytes + CACHE_LINE, np.uint8)
    begin = -memory.ctypes.data % CACHE_LINE
    array: np.ndarray = memory[begin : begin + n_bytes].view(dtype).reshape(shape)
    return array
