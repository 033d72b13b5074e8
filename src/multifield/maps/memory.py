"""How maps come from their files into memory: memory maps, the files behind them, aligned arrays."""

import errno
import math
import mmap
import os
import platform
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from multifield.core.arrays import StoredMaps
from multifield.maps.kernels import mapkernels

Allocate = Callable[[tuple[int, ...], Any], np.ndarray]
"""Makes an array of a shape and a dtype, uninitialized, as `numpy.empty` does."""

CACHE_LINE = 64  # [bytes]; also the widest vector

# The open file behind each memory map, whose name may by now be another file's; and where the map begins.
_files: "weakref.WeakKeyDictionary[mmap.mmap, tuple[int, int]]" = weakref.WeakKeyDictionary()


class MappedArray(np.memmap):
    """Memory map that pickles as its place in the file, so that another process opens it itself."""

    def __getitem__(self, index: Any) -> Any:
        """Select a view, or a plain array where NumPy copies."""
        chosen = super().__getitem__(index)
        is_copy = isinstance(chosen, np.ndarray) and _mapping_of(chosen) is None
        return chosen.view(np.ndarray) if is_copy else chosen

    def __reduce__(self) -> Any:
        """Describe the file and the place in it instead of copying the data."""
        place = place_in_file(self)
        if place is None:
            return np.asarray(self).__reduce__()
        descriptor, offset = place
        about = os.fstat(descriptor)
        state = about.st_size, about.st_mtime_ns
        return _open_mapped, (str(self.filename), self.dtype.str, self.shape, offset, state)


def _open_mapped(
    path: str, dtype: str, shape: tuple[int, ...], offset: int, state: tuple[int, int]
) -> MappedArray:
    """Open what `MappedArray.__reduce__` describes; refuse a file that has changed since.

    Raises
    ------
    FileNotFoundError
        If this machine does not see the file.
    ValueError
        If its size or its modification time is another one.
    """
    try:
        found = Path(path).stat()
    except FileNotFoundError:
        raise FileNotFoundError(
            errno.ENOENT,
            f"Not found on {platform.node()}. Workers must see the driver's files",
            path,
        ) from None
    if (found.st_size, found.st_mtime_ns) != state:
        raise ValueError(
            f"{path}: The file on {platform.node()} is not the one that the driver opened: size and "
            f"modification time are {found.st_size} and {found.st_mtime_ns}, expected {state[0]} and "
            f"{state[1]}. Run the same command again."
        )
    return map_file(Path(path), dtype, shape, offset)


def map_file(path: Path, dtype: DTypeLike, shape: tuple[int, ...], offset: int) -> MappedArray:
    """Memory-map an array in a file, read-only, and keep the file open: see `place_in_file`."""
    with path.open("rb") as file:
        maps = MappedArray(file, dtype=dtype, mode="r", offset=offset, shape=shape)
        descriptor = os.dup(file.fileno())
    maps.filename = path.resolve()  # type: ignore[assignment]  # as `numpy.memmap` has of a path
    mapping = _mapping_of(maps)
    assert mapping is not None
    _files[mapping] = (descriptor, offset - offset % mmap.ALLOCATIONGRANULARITY)
    weakref.finalize(mapping, os.close, descriptor)
    address = np.frombuffer(mapping, np.uint8).ctypes.data
    mapkernels.watch_mapping(address, len(mapping), str(maps.filename))
    weakref.finalize(mapping, mapkernels.forget_mapping, address)
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


def _mapping_of(maps: np.ndarray) -> mmap.mmap | None:
    """Return the memory map behind an array, if there is one."""
    base: object = maps
    while isinstance(base, np.ndarray):
        base = base.base
    return base if isinstance(base, mmap.mmap) else None


def aligned_empty(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Make an uninitialized array that begins with a cache line, which `numpy.empty` does not promise.

    A gather into it writes whole lines past the caches.
    """
    n_bytes = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(n_bytes + CACHE_LINE, np.uint8)
    begin = -memory.ctypes.data % CACHE_LINE
    array: np.ndarray = memory[begin : begin + n_bytes].view(dtype).reshape(shape)
    return array
