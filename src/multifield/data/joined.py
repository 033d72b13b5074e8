"""Maps of several files behind one index, for networks that are trained on several suites."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Shaped

from multifield.core.arrays import HalfBatch, Index, MapBatch
from multifield.data.augmentation import EpochPlan
from multifield.maps.kernels import mapkernels
from multifield.maps.memory import place_in_file


@dataclass(frozen=True, eq=False)
class JoinedMaps:
    """Log maps of one field in several files. They are copied only when a batch is assembled.

    Attributes
    ----------
    parts : tuple of (N, L, L) float32
        Memory maps or arrays. The maps of a part are numbered after those of the parts before it.
    scales : tuple of (mean, std), optional
        Scale of each part. Its maps are replaced by (map - mean) / std before the normalization.
        Empty leaves the maps unchanged.

    Raises
    ------
    ValueError
        If there are no parts, their map sizes differ, or the number of scales is wrong.
    TypeError
        If a part is not float32. Maps in 16 bits have a different encoding in each file.
    """

    parts: tuple[Shaped[np.ndarray, "_ _ _"], ...]  # their numbers of maps may differ
    scales: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        sizes = {part.shape[1:] for part in self.parts}
        if len(sizes) != 1:
            raise ValueError(f"maps: Expected parts of one shape, got {sorted(sizes)}.")
        types = {part.dtype.name for part in self.parts}
        if types != {"float32"}:
            raise TypeError(
                f"maps: Expected float32 log maps, got {sorted(types)}. "
                "Set preprocessing.compact to false."
            )
        if len(self.scales) not in (0, len(self.parts)):
            raise ValueError(
                f"scales: Expected none or one for each of {len(self.parts)} parts, "
                f"got {len(self.scales)}."
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of all maps together, (N, L, L)."""
        return int(self.ends[-1]), *self.parts[0].shape[1:]

    @property
    def ends(self) -> Index:
        """Number of the first map after each part."""
        return np.cumsum([len(part) for part in self.parts], dtype=np.int64)

    @property
    def starts(self) -> Index:
        """Number of the first map of each part."""
        return np.concatenate([[0], self.ends[:-1]])

    def scale_of(self, part: int) -> tuple[float, float]:
        """Return mean and std of the scale of a part, 0 and 1 without scales."""
        return self.scales[part] if self.scales else (0.0, 1.0)

    def part_of(self, index: Index) -> Index:
        """Return the number of the part of each map."""
        return np.searchsorted(self.ends, index, side="right")

    @property
    def is_in_files(self) -> bool:
        """Whether another process can open the files of the maps."""
        return all(place_in_file(part) is not None for part in self.parts)

    @staticmethod
    def gather(
        channels: Sequence["JoinedMaps"],
        rows: EpochPlan,
        mean: Float64[np.ndarray, " C"],
        std: Float64[np.ndarray, " C"],
        out: MapBatch | HalfBatch,
        **options: Any,
    ) -> None:
        """Assemble a batch; see `Channel.gather`. The channels have parts of the same lengths."""
        part_of, starts = channels[0].part_of(rows.order), channels[0].starts
        for number in np.unique(part_of).tolist():
            inside = np.flatnonzero(part_of == number)
            buffer = np.empty((len(inside), *out.shape[1:]), out.dtype)
            offset, factor = np.array([channel.scale_of(number) for channel in channels]).T
            mapkernels.gather(
                [channel.parts[number] for channel in channels],
                rows.order[inside] - starts[number],
                rows.orientation[inside],
                rows.shift[inside],
                offset + factor * mean,
                factor * std,
                buffer,
                **options,
            )
            out[inside] = buffer
