"""Assembly of batches: maps are selected, shifted, oriented and standardized."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int64
from numpy.typing import NDArray

from multifield.core.arrays import Map

PixelType = Literal["float32", "float16", "bfloat16"]
"""Type of stored pixels; see `gather`."""
Pixels = NDArray[np.float32] | NDArray[np.float16] | NDArray[np.uint16]
"""Maps with pixels of a `PixelType`."""


def orient(pixels: Map, orientation: int) -> Map:
    """Apply one of the eight symmetries of the square, in the benchmark's order.

    Parameters
    ----------
    pixels : (L, L) float32
        One map.
    orientation : int
        2 * (quarter turns of ``np.rot90``) + (1 to flip axis 0 afterwards).

    Returns
    -------
    oriented : (L, L) float32
        View of the map.
    """
    rotated = np.rot90(pixels, k=orientation // 2)
    return np.flip(rotated, axis=0) if orientation % 2 else rotated


def gather(
    fields: Sequence[Pixels],
    index: Int64[np.ndarray, " B"],
    orientation: Int64[np.ndarray, " B"],
    shift: Int64[np.ndarray, "B 2"],
    mean: Float64[np.ndarray, " C"],
    std: Float64[np.ndarray, " C"],
    out: Pixels,
    n_threads: int = 1,
    field_dtype: PixelType = "float32",
    out_dtype: PixelType = "float32",
) -> None:
    """Assemble a batch: select maps, shift and orient them, and standardize each channel.

    Parameters
    ----------
    fields : list of C arrays (N, L, L) of `field_dtype`
        One array or memory map per channel.
    index : (B,) int64
        Numbers of the maps.
    orientation : (B,) int64
        Orientation of each map, 0 to 7; see `orient`.
    shift : (B, 2) int64
        Periodic shift along axes 0 and 1 in [pixels], before the orientation.
    mean, std : (C,) float64
        Mean and standard deviation of each channel. `mean` and ``1 / std`` are rounded to float32
        and must be finite there.
    out : (B, C, L, L) of `out_dtype`
        Output array of ``(x - mean) * (1 / std)``, computed in float32. Pixels of 16 bits are
        rounded to nearest, ties to even.
    n_threads : int, optional
        Ignored.
    field_dtype, out_dtype : {"float32", "float16", "bfloat16"}, optional
        Types of the pixels. NumPy has no bfloat16: such an array is uint16 and contains the upper
        half of the bits of a float32.
    """
    for b, (i, o, roll) in enumerate(zip(index, orientation, shift, strict=True)):
        for c, maps in enumerate(fields):
            shifted = np.roll(as_float32(maps[i], field_dtype), tuple(roll), axis=(0, 1))
            centered = orient(shifted, int(o)) - np.float32(mean[c])
            out[b, c] = from_float32(centered * np.float32(1.0 / std[c]), out_dtype)


def as_float32(pixels: Pixels, dtype: PixelType) -> NDArray[np.float32]:
    """Convert pixels stored as `dtype` to float32, exactly."""
    if dtype == "bfloat16":
        return (pixels.astype(np.uint32) << 16).view(np.float32)
    return pixels.astype(np.float32)


def from_float32(pixels: NDArray[np.float32], dtype: PixelType) -> Pixels:
    """Round pixels to `dtype`, to nearest, ties to even."""
    if dtype == "bfloat16":
        bits = pixels.view(np.uint32)
        rounded = bits + 0x7FFF + (bits >> 16 & 1)
        return (np.where(np.isnan(pixels), bits | 0x400000, rounded) >> 16).astype(np.uint16)
    with np.errstate(over="ignore"):  # beyond 65,504 float16 is infinite
        return pixels.astype(dtype)
