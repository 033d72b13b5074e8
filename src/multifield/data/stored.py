"""Log maps in arrays and files, in 32 or 16 bits.

Maps in 16 bits are float16 values standardized by the mean and std of the field. Their files have
half the size, so they are read in half the time and twice as many maps stay in memory.
Standardization keeps the precision: float16 resolves 0.004 dex for log10 maps near 11, and about
2^-12 std for standardized maps.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64

from multifield.core.arrays import HalfBatch, HalfMaps, MapBatch, Maps, Moments, StoredMaps
from multifield.data.augmentation import EpochPlan, take_maps
from multifield.maps.kernels import mapkernels
from multifield.maps.memory import place_in_file
from multifield.maps.transforms import combine_moments


class Encoding(NamedTuple):
    """Affine encoding of a field in 16 bits: log map = mean + std * stored value.

    The error of a pixel is at most 2^-11 of its distance from the mean (half a unit in the last
    place). No pixel exceeds the range of float16, 65504 std, because no value of n is farther than
    sqrt(n) std from the mean.

    Attributes
    ----------
    mean, std : float
        Mean and standard deviation of all float32 log maps in [dex].
    """

    mean: float
    std: float

    @classmethod
    def of(cls, moments: Moments) -> "Encoding":
        """Return the encoding of log maps.

        Parameters
        ----------
        moments : (N, 3) float64
            Moments of the log maps, one row per map.

        Returns
        -------
        encoding : Encoding
            Mean and standard deviation over all maps.
        """
        count, mean, m2 = combine_moments(moments)
        # the kernels compute in float32; constant maps are stored as zeros
        return cls(float(np.float32(mean)), math.sqrt(m2 / count) or 1.0)

    def encode(self, maps: Maps) -> HalfMaps:
        """Standardize log maps in [dex] as a loader does, and round them to float16."""
        kept = np.empty(maps.shape, np.float16)
        mean, std = np.array([self.mean]), np.array([self.std])
        rows, out = take_maps(np.arange(len(maps))), kept[:, None]
        ArrayMaps.gather([ArrayMaps(maps)], rows, mean, std, out, out_dtype="float16")
        return kept

    def decode(self, kept: HalfMaps) -> Maps:
        """Return the log maps in [dex] of stored values."""
        return (self.mean + self.std * kept.astype(np.float64)).astype(np.float32)


@dataclass(frozen=True, eq=False)
class ArrayMaps:
    """Log maps of one field in an array or a memory map.

    Attributes
    ----------
    array : (N, L, L) float32 or float16
        Log maps in [dex], or encoded values.
    encoding : Encoding or None
        Encoding of values in 16 bits.

    Raises
    ------
    TypeError
        If `array` is not float32 and there is no encoding.
    """

    array: StoredMaps
    encoding: Encoding | None = None

    def __post_init__(self) -> None:
        if self.encoding is None and self.array.dtype != np.float32:
            raise TypeError(
                "maps: Expected float32 log maps, or 16-bit values with an encoding, "
                f"got {self.array.dtype.name}."
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the maps, (N, L, L)."""
        return self.array.shape

    @property
    def is_in_files(self) -> bool:
        """Whether another process can open the file of the maps."""
        return place_in_file(self.array) is not None

    @staticmethod
    def gather(
        channels: Sequence["ArrayMaps"],
        rows: EpochPlan,
        mean: Float64[np.ndarray, " C"],
        std: Float64[np.ndarray, " C"],
        out: MapBatch | HalfBatch,
        **options: Any,
    ) -> None:
        """Assemble a batch; see `Channel.gather`.

        Decoding and normalization are one affine transform of the stored values q: with
        x = m + s q, (x - mean) / std equals (q - (mean - m) / s) / (std / s).
        """
        m, s = np.array([channel.encoding or (0.0, 1.0) for channel in channels]).T
        mapkernels.gather(
            [channel.array for channel in channels],
            rows.order,
            rows.orientation,
            rows.shift,
            (mean - m) / s,
            std / s,
            out,
            field_dtype="float16" if channels[0].encoding else "float32",
            **options,
        )
