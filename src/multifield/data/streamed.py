"""Log maps that are kept nowhere: made of the raw ones wherever they are read.

For maps that are looked at once, or a few times: a test of a network, a prediction, a normalized copy of
a file for another program. To keep them would write as many bytes as are read. A training reads every
map hundreds of times and is better served by a file.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NoReturn

import numpy as np
from jaxtyping import Float64, Int64

from multifield.core.arrays import HalfBatch, Index, MapBatch, Maps
from multifield.maps.kernels import FileError, mapkernels
from multifield.maps.memory import place_in_file, source_name
from multifield.maps.transforms import adds_one, preprocess_block


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
        self._fill(numbers, out)
        return out

    def _fill(self, numbers: Index, out: Maps) -> None:
        """Write the log maps of these numbers to `out`, one run of consecutive numbers at a time."""
        ends = np.flatnonzero(np.diff(numbers) != 1) + 1
        moments = np.empty((len(numbers), 3))
        for begin, end in zip([0, *ends], [*ends, len(numbers)], strict=True):
            if begin == end:
                continue
            first = int(numbers[begin])
            preprocess_block(
                self.raw[first : first + end - begin],
                out[begin:end],
                moments[begin:end],
                field=self.field,
                width=self.width,
                without_monopole=self.without_monopole,
                n_threads=1,
                first_map=first,
                source=source_name(self.raw, self.field),
            )


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

    A map that is asked for in eight orientations is made eight times: to keep it meanwhile was slower, for
    fresh memory costs more than to read, smooth and take the logarithm again.

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

    Raises
    ------
    OSError, ValueError
        As `transforms.preprocess_block`.
    """
    raw = [channel.raw for channel in channels]
    files = [place_in_file(maps) for maps in raw]
    steps = [(c.width, adds_one(c.field), c.without_monopole) for c in channels]
    try:
        first = mapkernels.gather_raw(
            raw, files, steps, index, orientation, shift, mean, std, out, n_threads, out_dtype
        )
    except FileError as error:
        names = ", ".join(source_name(c.raw, c.field) for c in channels)
        raise OSError(f"{names}: {error}") from None
    if first >= 0:
        _raise_for_pixel(channels, index, first)


def _raise_for_pixel(channels: Sequence[StreamedMaps], index: Index, first: int) -> NoReturn:
    """Make the log map of a pixel again, which raises an error that names it."""
    b, c = divmod(first // math.prod(channels[0].shape[1:]), len(channels))
    _ = channels[c][index[b : b + 1]]
    raise ValueError(
        f"{source_name(channels[c].raw, channels[c].field)}: expected maps that stay as they are, got map "
        f"{index[b]} with and then without an invalid pixel"
    )
