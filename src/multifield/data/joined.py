"""Maps of several files as if they lay in one, for a network that is trained on several suites."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float64, Int64, Shaped

from multifield.core.arrays import HalfBatch, Index, MapBatch
from multifield.maps.kernels import mapkernels


@dataclass(frozen=True, eq=False)
class JoinedMaps:
    """Log maps of one field, one file behind another; nothing is copied until a batch is made.

    Attributes
    ----------
    parts : tuple of (N, L, L) float32
        Memory maps or arrays. Map i of part k has number i plus the maps of the parts before it.
    scales : tuple of (mean, std), optional
        One a part: its maps are taken as (map - mean) / std, before any normalization. As they are if empty.

    Raises
    ------
    ValueError
        If there is no part, their pixels a side differ, or there is not a scale for each.
    TypeError
        If one is not float32: 16 bits mean other numbers in each file.
    """

    parts: tuple[Shaped[np.ndarray, "_ _ _"], ...]  # of numbers of maps that may differ
    scales: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        sizes = {part.shape[1:] for part in self.parts}
        if len(sizes) != 1:
            raise ValueError(f"maps: expected parts of one shape, got {sorted(sizes)}")
        types = {part.dtype.name for part in self.parts}
        if types != {"float32"}:
            raise TypeError(
                f"maps: expected float32 log maps to join (preprocessing.compact false), got {sorted(types)}"
            )
        if len(self.scales) not in (0, len(self.parts)):
            raise ValueError(
                f"scales: expected none or one for each of {len(self.parts)} parts, got {len(self.scales)}"
            )

    def __len__(self) -> int:
        """Count the maps of all parts."""
        return int(self.ends[-1])

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, L, L), as an array has it."""
        return len(self), *self.parts[0].shape[1:]

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32, as an array says it."""
        return np.dtype(np.float32)

    @property
    def ends(self) -> Index:
        """Number behind the last map of each part."""
        return np.cumsum([len(part) for part in self.parts], dtype=np.int64)

    def scale_of(self, part: int) -> tuple[float, float]:
        """Give the mean and std of a part, 0 and 1 where it has none."""
        return self.scales[part] if self.scales else (0.0, 1.0)

    def part_of(self, index: Index) -> Index:
        """Say in which part each map is, from 0 on."""
        return np.searchsorted(self.ends, index, side="right")


def gather_joined(
    channels: Sequence[JoinedMaps],
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
    """Make a batch of joined maps: the same as `mapkernels.gather` of one file that holds them all.

    Parameters
    ----------
    channels : sequence of JoinedMaps
        With as many maps in each part.
    index, orientation, shift, mean, std, out, n_threads, out_dtype
        See `mapkernels.gather`.
    """
    part_of, starts = channels[0].part_of(index), np.concatenate([[0], channels[0].ends])
    for number in np.unique(part_of).tolist():
        rows = np.flatnonzero(part_of == number)
        buffer = np.empty((len(rows), *out.shape[1:]), out.dtype)
        offset, factor = np.array([channel.scale_of(number) for channel in channels]).T
        mapkernels.gather(
            [channel.parts[number] for channel in channels],
            index[rows] - starts[number],
            orientation[rows],
            shift[rows],
            offset + factor * mean,
            factor * std,
            buffer,
            n_threads=n_threads,
            field_dtype="float32",
            out_dtype=out_dtype,
        )
        out[rows] = buffer
