"""Maps in files and in memory: memory maps, the files behind them, aligned arrays."""

import errno
import math
import mmap
import os
import platform
import tokenize
import weakref
from collections.abc import Callable, Iterator, Sized
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import DTypeLike

from multifield.core.arrays import Maps, StoredMaps
from multifield.maps.kernels import mapkernels

Allocate = Callable[[tuple[int, ...], Any], np.ndarray]
"""Makes an array of a shape and a dtype, uninitialized, as `numpy.empty` does."""

CACHE_LINE = 64  # [bytes]; also the widest vector

BLOCK_BYTES = (
    16 * 2**20
)  # a block of 64 CMD maps: large enough to stream, small enough to stay in memory

MAX_REASON = 100  # characters of what a library says of a file

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


@overload
def open_maps(path: str | Path, *, single: bool = False) -> Maps: ...
@overload
def open_maps(path: str | Path, dtype: DTypeLike) -> StoredMaps: ...
def open_maps(
    path: str | Path, dtype: DTypeLike = np.float32, *, single: bool = False
) -> StoredMaps:
    """Memory-map a file of maps.

    Parameters
    ----------
    path : path-like
        A ``.npy`` file of shape (N, L, L), C order.
    dtype : dtype, optional
        What it has to hold: float32, or float16.
    single : bool, optional
        Whether it may be one map, (L, L), which is given as (1, L, L).

    Returns
    -------
    maps : (N, L, L) of that type
        Read-only memory map; pixels are read when they are used.

    Raises
    ------
    FileNotFoundError, ValueError, TypeError
        If the file is absent, is no ``.npy`` file, is truncated or has bytes too many, or holds another
        shape or type. The message names the file, the rule and what was found.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected a file of maps; found none")
    shape, fortran_order, found_dtype, offset = _read_header(path)
    dtype = np.dtype(dtype)
    if found_dtype != dtype or not found_dtype.isnative:
        raise TypeError(
            f"{path}: expected {dtype.name} maps, got {found_dtype.str} ({found_dtype.name}). "
            f'Convert them with numpy.save(path, maps.astype("{dtype.name}")).'
        )
    if single and len(shape) == 2:
        shape = (1, *shape)
    if len(shape) != 3 or shape[1] != shape[2] or shape[1] < 1 or shape[0] < 0:
        raise ValueError(f"{path}: expected shape (N, L, L), got {shape}")
    if fortran_order:
        raise ValueError(f"{path}: expected C order, got Fortran order")
    expected = offset + math.prod(shape) * dtype.itemsize
    found = path.stat().st_size
    if found != expected:
        raise ValueError(
            f"{path}: expected {expected} bytes for shape {shape}, got {found} "
            f"({'truncated' if found < expected else 'bytes too many'})"
        )
    if not shape[0]:
        raise ValueError(f"{path}: expected at least one map, got shape {shape}")
    return map_file(path, dtype, shape, offset)


# what NumPy raises for a header that it evaluates as Python
_NO_HEADER = (
    *(ValueError, KeyError, TypeError, RecursionError, MemoryError),
    *(SyntaxError, tokenize.TokenError),
)


def _read_header(path: Path) -> tuple[tuple[int, ...], bool, np.dtype, int]:
    with path.open("rb") as file:
        try:
            version = np.lib.format.read_magic(file)
            read = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
                (3, 0): np.lib.format.read_array_header_2_0,  # the same for types without names
            }[version]
            shape, fortran_order, dtype = read(file)
        except _NO_HEADER as error:
            reason = str(error).partition("\n")[0][:MAX_REASON]  # it may quote the whole header
            raise ValueError(
                f"{path}: expected a .npy file, got another format ({reason})"
            ) from None
        if any(isinstance(length, bool) for length in shape):
            raise ValueError(f"{path}: expected a .npy file, got a header with the shape {shape}")
        return shape, fortran_order, dtype, file.tell()


def source_name(maps: Sized, default: str) -> str:
    """Return the file behind a memory map, for messages; `default` where there is none."""
    return str(maps.filename) if isinstance(maps, np.memmap) and maps.filename else default


def blocks_of(maps: Maps) -> Iterator[tuple[int, Maps]]:
    """Yield (number of the first map, block of maps) through `maps` in order, 16 MB at a time."""
    n_block = max(1, BLOCK_BYTES // max(1, maps[0].nbytes))
    for first in range(0, len(maps), n_block):
        yield first, maps[first : first + n_block]
