"""Log maps that are kept nowhere: made of the raw ones wherever they are read.

For maps that are looked at once, or a few times: a test of a network, a prediction, a normalized copy of
a file for another program. To keep them would write as many bytes as are read. A training reads every
map hundreds of times and is better served by a file.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int64

from multifield.arrays import HalfBatch, Index, MapBatch, Maps
from multifield.maps.files import source_name
from multifield.maps.kernels import mapkernels
from multifield.maps.memory import advise, mapping_of
from multifield.maps.transforms import preprocess_block

BLOCK_BYTES = 2 * 2**20  # 8 CMD maps: log maps are still in cache when they are gathered


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

    def fill(self, numbers: Index, out: Maps) -> None:
        """Write the log maps of these numbers to `out`, one run of consecutive numbers at a time.

        Parameters
        ----------
        numbers : (M,) int64
            Maps of the file, 0 to N - 1.
        out : (M, L, L) float32

        Raises
        ------
        ValueError
            If a pixel has no finite logarithm; names the file, the map and the pixel.
        """
        ends = np.flatnonzero(np.diff(numbers) != 1) + 1
        mapping, moments = mapping_of(self.raw), np.empty((len(numbers), 3))
        for begin, end in zip([0, *ends], [*ends, len(numbers)], strict=True):
            if begin == end:
                continue
            first = int(numbers[begin])
            run = self.raw[first : first + end - begin]
            preprocess_block(
                run,
                out[begin:end],
                moments[begin:end],
                field=self.field,
                width=self.width,
                without_monopole=self.without_monopole,
                n_threads=1,
                first_map=first,
                source=source_name(self.raw, self.field),
            )
            advise(mapping, run, "MADV_DONTNEED")


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
    """
    n_pixels = channels[0].shape[1:]
    n_block = max(1, BLOCK_BYTES // (4 * len(channels) * n_pixels[0] * n_pixels[1]))
    buffers: SimpleQueue[np.ndarray] = SimpleQueue()
    for _ in range(n_threads):
        buffers.put(np.empty((len(channels), n_block, *n_pixels), np.float32))

    def gather(begin: int) -> None:
        rows = slice(begin, begin + n_block)
        numbers = index[rows]
        buffer = buffers.get()
        try:
            log_maps = list(buffer[:, : len(numbers)])
            for channel, block in zip(channels, log_maps, strict=True):
                channel.fill(numbers, block)
            mapkernels.gather(
                log_maps,
                np.arange(len(numbers)),
                orientation[rows],
                shift[rows],
                mean,
                std,
                out[rows],
                n_threads=1,
                field_dtype="float32",
                out_dtype=out_dtype,
            )
        finally:
            buffers.put(buffer)

    with ThreadPoolExecutor(n_threads) as pool:
        list(pool.map(gather, range(0, len(index), n_block)))  # a list, so that errors are raised
