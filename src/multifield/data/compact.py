"""Log maps in 16 bits: float16 of a field standardized by its own mean and std over all maps.

A file of half the size is read in half the time, and twice as many maps stay in memory. Standardized
first, because float16 has 11 bits: of log10 maps near 11 it keeps 0.004 dex, of standardized ones, which
lie near 0, about 2^-12 of the std.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np

from multifield.core.arrays import HalfMaps, Maps, Moments, StoredMaps
from multifield.data.normalization import Normalization
from multifield.maps.kernels import mapkernels
from multifield.maps.transforms import combine_moments


class Encoding(NamedTuple):
    """How a field is kept in 16 bits: log map = mean + std * number kept.

    A pixel is off by 2^-11 of its distance from the mean at most, half a unit in the last place. None is
    beyond the range of float16, 65504 std: of n numbers none is farther from their mean than sqrt(n) std.

    Attributes
    ----------
    mean, std : float
        Of the float32 log maps, over all maps [dex].
    """

    mean: float
    std: float

    @classmethod
    def of(cls, moments: Moments) -> "Encoding":
        """Give the encoding of log maps with these moments (N, 3), one row per map."""
        count, mean, m2 = combine_moments(moments)
        # the kernels compute in float32; maps that do not vary are kept as zeros
        return cls(float(np.float32(mean)), math.sqrt(m2 / count) or 1.0)

    def encode(self, maps: Maps) -> HalfMaps:
        """Give the numbers to keep: what a loader would compute of these log maps, rounded."""
        n, kept = len(maps), np.empty(maps.shape, np.float16)
        mapkernels.gather(
            [maps],
            np.arange(n),
            np.zeros(n, np.int64),
            np.zeros((n, 2), np.int64),
            np.array([self.mean]),
            np.array([self.std]),
            kept[:, None],
            out_dtype="float16",
        )
        return kept

    def decode(self, kept: HalfMaps) -> Maps:
        """Give log maps in [dex]."""
        return (self.mean + self.std * kept.astype(np.float64)).astype(np.float32)


def kept_type(maps: StoredMaps) -> Literal["float32", "float16"]:
    """Name the type of maps, as the kernels do."""
    return "float16" if maps.dtype == np.float16 else "float32"


def normalization_as_kept(
    normalization: Normalization, encodings: Sequence[Encoding | None]
) -> Normalization:
    """Give mean and std that turn the numbers kept into normalized maps.

    Undoing the encoding and normalizing are one affine map: with x = m + s q, (x - mean) / std is
    (q - (mean - m) / s) / (std / s).

    Parameters
    ----------
    normalization : Normalization
        Of the log maps [dex].
    encodings : sequence of Encoding or None
        Of each channel; None where log maps are kept as they are.
    """
    mean, std = list(normalization.mean), list(normalization.std)
    for channel, encoding in enumerate(encodings):
        if encoding is not None:
            mean[channel] = (mean[channel] - encoding.mean) / encoding.std
            std[channel] = std[channel] / encoding.std
    return replace(normalization, mean=tuple(mean), std=tuple(std))
