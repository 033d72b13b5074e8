"""Log maps that are kept nowhere: made of the raw ones wherever they are read.

For maps that are looked at once, or a few times: a test of a network, a prediction, a normalized copy of
a file for another program. To keep them would write as many bytes as are read. A training reads every
map hundreds of times and is better served by a file.
"""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from queue import SimpleQueue
from typing import Literal

import numpy as np
from jaxtyping import Float32, Float64, Int64

from multifield.arrays import HalfBatch, Index, MapBatch, Maps
from multifield.maps.files import source_name
from multifield.maps.kernels import mapkernels
from multifield.maps.memory import read_block
from multifield.maps.transforms import preprocess_block

BLOCK_BYTES = 4 * 2**20  # 16 CMD maps: log maps are still in cache when they are gathered


@dataclass(frozen=True)
class StreamedMaps:
    """Log maps of one field, made of raw ones each time they are read.

    Attributes
    ----------
    raw : (N, L, L) float32
        Raw maps; a memory map may be larger than memory.
    field : str
        Name of the field; it decides the logarithm.
    width : float
        Of the smoothing, in [pixels]; 0 for none.
    without_monopole : bool
        Whether each log map's own mean is subtracted.
    """

    raw: Maps = field(repr=False)
    field: str
    width: float
    without_monopole: bool

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, L, L), as an array has it."""
        return self.raw.shape

    def __len__(self) -> int:
        """Count the maps."""
        return len(self.raw)

    def __getitem__(self, chosen: slice | Index) -> Maps:
        """Make some of the log maps (M, L, L) float32, in [dex]."""
        numbers = np.arange(len(self.raw))[chosen]
        out = np.empty((len(numbers), *self.shape[1:]), np.float32)
        self.fill(numbers, out)
        return out

    def fill(
        self, numbers: Index, out: Maps, buffer: Float32[np.ndarray, "M L L"] | None = None
    ) -> None:
        """Write the log maps of these numbers to `out`, one run of consecutive numbers at a time.

        Parameters
        ----------
        numbers : (M,) int64
            Maps of the file, 0 to N - 1.
        out : (M, L, L) float32
        buffer : (M, L, L) float32, optional
            For raw maps, where many calls are made.

        Raises
        ------
        ValueError
            If a pixel has no finite logarithm; names the file, the map and the pixel.
        """
        buffer = np.empty_like(out) if buffer is None else buffer
        ends = np.flatnonzero(np.diff(numbers) != 1) + 1
        source, moments = source_name(self.raw, self.field), np.empty((len(numbers), 3))
        for begin, end in zip([0, *ends], [*ends, len(numbers)], strict=True):
            if begin == end:
                continue
            first = int(numbers[begin])
            run = self.raw[first : first + end - begin]
            preprocess_block(
                read_block(run, buffer, source),
                out[begin:end],
                moments[begin:end],
                field=self.field,
                width=self.width,
                without_monopole=self.without_monopole,
                n_threads=1,
                first_map=first,
                source=source,
            )


class KeptAWhile:
    """Log maps of some maps, each made when a batch first wants it.

    For an epoch that shows each map several times, as in eight orientations.

    Parameters
    ----------
    channels : sequence of StreamedMaps
    numbers : (M,) int64
        Maps of the file that are going to be asked for; the first are kept.
    n_bytes : int
        For their log maps; as many are kept as there is room for.
    """

    def __init__(self, channels: Sequence[StreamedMaps], numbers: Index, n_bytes: int) -> None:
        n_pixels = channels[0].shape[1:]
        n_kept = min(len(numbers), n_bytes // (4 * len(channels) * math.prod(n_pixels)))
        self._channels = channels
        self._numbers = numbers[:n_kept]
        self._is_made = np.zeros(n_kept, bool)
        self._slots = np.full(len(channels[0]), -1)  # of each map of the file; -1 is none
        self._slots[self._numbers] = np.arange(n_kept)
        self.log_maps = np.empty((len(channels), n_kept, *n_pixels), np.float32)

    def has_room_for(self, numbers: Index) -> bool:
        """Whether all of these maps are among the kept."""
        return bool((self._slots[numbers] >= 0).all())

    def slots(self, numbers: Index) -> Index:
        """Say where in `log_maps` these maps are."""
        slots: Index = self._slots[numbers]
        return slots

    def make(self, numbers: Index, pool: Executor) -> None:
        """Make those of these log maps that are not there yet."""
        wanted = np.unique(self._slots[numbers])
        todo = wanted[~self._is_made[wanted]]
        n_block = max(1, BLOCK_BYTES // self.log_maps[:, 0].nbytes)
        runs = np.split(todo, np.flatnonzero(np.diff(todo) != 1) + 1)
        blocks = [run[i : i + n_block] for run in runs for i in range(0, len(run), n_block)]
        list(pool.map(self._fill, blocks))  # a list, so that errors are raised
        self._is_made[todo] = True

    def _fill(self, slots: Index) -> None:
        for channel, log_maps in zip(self._channels, self.log_maps, strict=True):
            channel.fill(self._numbers[slots], log_maps[slots[0] : slots[-1] + 1])


def gather_streamed(
    channels: Sequence[StreamedMaps],
    index: Index,
    orientation: Int64[np.ndarray, " B"],
    shift: Int64[np.ndarray, "B 2"],
    mean: Float64[np.ndarray, " C"],
    std: Float64[np.ndarray, " C"],
    out: MapBatch | HalfBatch,
    *,
    n_threads: int,
    out_dtype: Literal["float32", "float16", "bfloat16"],
    kept: KeptAWhile | None = None,
) -> None:
    """Make a batch of log maps that are kept nowhere; the same as `mapkernels.gather` of kept ones.

    Each thread makes the log maps of a block of rows in a buffer of its own, and gathers them from its
    cache.

    Parameters
    ----------
    channels : sequence of StreamedMaps
    index : (B,) int64
        Numbers of the maps.
    orientation, shift : (B,), (B, 2) int64
        Of each map; see `mapkernels.gather`.
    mean, std : (C,) float64
        Of each channel.
    out : (B, C, L, L)
    n_threads : int
        The result does not depend on it.
    out_dtype : str
        What `out` holds; the bits of bfloat16 are uint16 in NumPy.
    kept : KeptAWhile, optional
        Of the same channels; a batch whose maps are all among its own is made of them. The result does not
        depend on it.
    """
    gather = partial(
        mapkernels.gather, mean=mean, std=std, field_dtype="float32", out_dtype=out_dtype
    )
    with ThreadPoolExecutor(n_threads) as pool:
        if kept is not None and kept.has_room_for(index):
            kept.make(index, pool)
            slots = kept.slots(index)
            gather(list(kept.log_maps), slots, orientation, shift, out=out, n_threads=n_threads)
        else:
            _make_and_gather(channels, index, orientation, shift, out, gather, pool, n_threads)


def _make_and_gather(
    channels: Sequence[StreamedMaps],
    index: Index,
    orientation: Int64[np.ndarray, " B"],
    shift: Int64[np.ndarray, "B 2"],
    out: MapBatch | HalfBatch,
    gather: Callable[..., None],
    pool: Executor,
    n_threads: int,
) -> None:
    """Make and gather block by block, each by one thread."""
    n_pixels = channels[0].shape[1:]
    n_block = max(1, BLOCK_BYTES // (4 * len(channels) * math.prod(n_pixels)))
    buffers: SimpleQueue[tuple[np.ndarray, Maps]] = SimpleQueue()  # of log maps and of raw ones
    for _ in range(n_threads):
        log_maps = np.empty((len(channels), n_block, *n_pixels), np.float32)
        buffers.put((log_maps, np.empty(log_maps.shape[1:], np.float32)))

    def make_block(begin: int) -> None:
        rows = slice(begin, begin + n_block)
        numbers = index[rows]
        log_maps, raw = buffers.get()
        try:
            made = list(log_maps[:, : len(numbers)])
            for channel, block in zip(channels, made, strict=True):
                channel.fill(numbers, block, raw)
            every = np.arange(len(numbers))
            gather(made, every, orientation[rows], shift[rows], out=out[rows], n_threads=1)
        finally:
            buffers.put((log_maps, raw))

    list(pool.map(make_block, range(0, len(index), n_block)))  # a list, so that errors are raised
