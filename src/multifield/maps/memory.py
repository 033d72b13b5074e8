"""Memory maps, the files behind them, and aligned arrays."""

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
"""Function that returns an uninitialized array of a shape and dtype, like `numpy.empty`."""

CACHE_LINE = 64  # [bytes]; also the widest vector

BLOCK_BYTES = 16 * 2**20  # 64 CMD maps: large enough to stream, small enough to stay in memory

MAX_REASON = 100  # characters of a library's message that are quoted

# Open file behind each memory map (its name may belong to another file by now) and the map's
# offset.
_files: "weakref.WeakKeyDictionary[mmap.mmap, tuple[int, int]]" = weakref.WeakKeyDictionary()


class MappedArray(np.memmap):
    """Memory map that pickles as a reference to its file, which the other process opens."""

    def __getitem__(self, index: Any) -> Any:
        """Return a view, or a plain array if NumPy copies."""
        chosen = super().__getitem__(index)
        is_copy = isinstance(chosen, np.ndarray) and _mapping_of(chosen) is None
        return chosen.view(np.ndarray) if is_copy else chosen

    def __reduce__(self) -> Any:
        """Pickle the file name and offset instead of the data."""
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
    """Open the file that `MappedArray.__reduce__` describes.

    Raises
    ------
    FileNotFoundError
        If the file does not exist on this machine.
    ValueError
        If its size or modification time has changed.
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
            f"{path}: Expected the file that the driver opened (size {state[0]}, modified "
            f"{state[1]}), got size {found.st_size}, modified {found.st_mtime_ns} on {platform.node()}. "
            "Run the same command again."
        )
    return map_file(Path(path), dtype, shape, offset)


def map_file(path: Path, dtype: DTypeLike, shape: tuple[int, ...], offset: int) -> MappedArray:
    """Memory-map an array in a file, read-only, and keep the file open for `place_in_file`.

    Parameters
    ----------
    path : Path
        File that contains the array.
    dtype : dtype
        Type of the elements.
    shape : tuple of int
        Shape of the array.
    offset : int
        Position of the first element in the file in [bytes].

    Returns
    -------
    maps : MappedArray
        Read-only memory map.
    """
    with path.open("rb") as file:
        maps = MappedArray(file, dtype=dtype, mode="r", offset=offset, shape=shape)
        descriptor = os.dup(file.fileno())
    maps.filename = path.resolve()  # type: ignore[assignment]  # as numpy.memmap does for a path
    mapping = _mapping_of(maps)
    assert mapping is not None
    _files[mapping] = (descriptor, offset - offset % mmap.ALLOCATIONGRANULARITY)
    weakref.finalize(mapping, os.close, descriptor)
    address = np.frombuffer(mapping, np.uint8).ctypes.data
    mapkernels.watch_mapping(address, len(mapping), str(maps.filename))
    weakref.finalize(mapping, mapkernels.forget_mapping, address)
    return maps


def place_in_file(maps: StoredMaps) -> tuple[int, int] | None:
    """Return the position of consecutive maps in the file that they are mapped from.

    Kernels that use each map once read the file instead of the memory map. Reading costs a copy
    within the cache, and avoids page faults and the cost of releasing the pages on all cores.

    Parameters
    ----------
    maps : (N, L, L)
        Array from `map_file`, or a slice of one.

    Returns
    -------
    place : tuple of int or None
        Descriptor of the open file and offset of the first map in [bytes]. None for any other
        array.
    """
    mapping = _mapping_of(maps)
    if mapping is None or mapping not in _files or not maps.flags.c_contiguous:
        return None
    descriptor, start = _files[mapping]
    return descriptor, start + maps.ctypes.data - np.frombuffer(mapping, np.uint8).ctypes.data


def read_ahead(maps: StoredMaps) -> None:
    """Advise the operating system to read a block of a memory-mapped file in the background."""
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
    """Return an uninitialized array aligned to a cache line.

    `numpy.empty` does not guarantee this alignment. It lets `mapkernels.gather` bypass the cache
    with full-line writes.

    Parameters
    ----------
    shape : tuple of int
        Shape of the array.
    dtype : dtype
        Type of the elements.

    Returns
    -------
    array : ndarray
        Array whose address is a multiple of 64 bytes.
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
        A ``.npy`` file of shape (N, L, L) in C order.
    dtype : dtype, optional
        Required type: float32 or float16.
    single : bool, optional
        Whether to accept a single map (L, L), which is returned as (1, L, L).

    Returns
    -------
    maps : (N, L, L) float32 or float16
        Read-only memory map. Pixels are read when they are used.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ValueError
        If the file is not a ``.npy`` file, has the wrong size, or contains an array of another
        shape.
    TypeError
        If the file contains another type.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: Expected a file of maps, got none.")
    shape, fortran_order, found_dtype, offset = _read_header(path)
    dtype = np.dtype(dtype)
    if found_dtype != dtype or not found_dtype.isnative:
        raise TypeError(
            f"{path}: Expected {dtype.name} maps, got {found_dtype.str} ({found_dtype.name}). "
            f'Convert them with numpy.save(path, maps.astype("{dtype.name}")).'
        )
    if single and len(shape) == 2:
        shape = (1, *shape)
    if len(shape) != 3 or shape[1] != shape[2] or shape[1] < 1 or shape[0] < 0:
        raise ValueError(f"{path}: Expected shape (N, L, L), got {shape}.")
    if fortran_order:
        raise ValueError(f"{path}: Expected C order, got Fortran order.")
    expected = offset + math.prod(shape) * dtype.itemsize
    found = path.stat().st_size
    if found != expected:
        raise ValueError(
            f"{path}: Expected {expected} bytes for shape {shape}, got {found} "
            f"({'truncated' if found < expected else 'too many bytes'})."
        )
    if not shape[0]:
        raise ValueError(f"{path}: Expected at least one map, got shape {shape}.")
    return map_file(path, dtype, shape, offset)


# errors that NumPy raises when it evaluates a bad header as Python
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
                f"{path}: Expected a .npy file, got another format ({reason})."
            ) from None
        if any(isinstance(length, bool) for length in shape):
            raise ValueError(f"{path}: Expected a .npy file, got a header with shape {shape}.")
        return shape, fortran_order, dtype, file.tell()


def source_name(maps: Sized, default: str) -> str:
    """Return the file name of a memory map, for messages.

    Parameters
    ----------
    maps : sized
        Memory map or any other container of maps.
    default : str
        Name of anything that is not a memory map.

    Returns
    -------
    name : str
        File name, or `default`.
    """
    return str(maps.filename) if isinstance(maps, np.memmap) and maps.filename else default


def blocks_of(maps: Maps) -> Iterator[tuple[int, Maps]]:
    """Iterate over maps in blocks of 16 MB.

    Parameters
    ----------
    maps : (N, L, L) float32
        Memory map or array.

    Yields
    ------
    first : int
        Number of the first map of the block.
    block : (M, L, L) float32
        View of the maps of the block.
    """
    n_block = max(1, BLOCK_BYTES // max(1, maps[0].nbytes))
    for first in range(0, len(maps), n_block):
        yield first, maps[first : first + n_block]
