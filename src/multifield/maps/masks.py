"""Masks: pixels without data, such as those of a survey."""

import base64
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from multifield.core.arrays import Maps

Mask = Bool[np.ndarray, "K K"]
"""True where a map has no data."""


def read_mask(path: Path, map_size: int) -> Mask:
    """Read a mask.

    Parameters
    ----------
    path : Path
        A ``.npy`` file of shape (L, L) and type bool, True where maps have no data.
    map_size : int
        Pixels per side of the maps, L.

    Returns
    -------
    mask : (L, L) bool
        The mask.

    Raises
    ------
    ValueError
        If the file is not such a mask, or all pixels are masked.
    """
    try:
        mask = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"mask: Expected a .npy file, got {path} ({error}).") from None
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
        kind = mask.dtype.name if isinstance(mask, np.ndarray) else "an archive"
        raise ValueError(f"{path}: Expected bool, true where maps have no data, got {kind}.")
    if mask.shape != (map_size, map_size):
        raise ValueError(
            f"{path}: Expected a mask of shape ({map_size}, {map_size}), as the maps or their "
            f"cut-outs, got {mask.shape}."
        )
    if mask.all():
        raise ValueError(f"{path}: Expected a pixel with data, got a mask of all pixels.")
    return mask


def fill_masked(maps: Maps, mask: Bool[np.ndarray, "L L"]) -> Maps:
    """Give masked pixels the median of the other pixels of their map.

    Parameters
    ----------
    maps : (N, L, L) float32
        Maps in any unit. Masked pixels may have any value, also NaN.
    mask : (L, L) bool
        True where maps have no data.

    Returns
    -------
    filled : (N, L, L) float32
        New array, with the values of `maps` where the mask is false.

    Notes
    -----
    A few dense pixels determine the mean of a map, but not its median. The logarithm of the median
    is the median of the logarithm.
    """
    filled = np.array(maps)
    filled[:, mask] = np.median(filled[:, ~mask], axis=1, keepdims=True)
    return filled


def encode_mask(mask: Mask) -> str:
    """Write a mask as text for a card; see `decode_mask`."""
    packed = zlib.compress(np.packbits(mask).tobytes(), level=9)
    return base64.b64encode(packed).decode("ascii")


def decode_mask(text: str, map_size: int) -> Mask:
    """Read a mask from the text of a card.

    Parameters
    ----------
    text : str
        Text from `encode_mask`.
    map_size : int
        Pixels per side of the maps, L.

    Returns
    -------
    mask : (L, L) bool
        The mask.

    Raises
    ------
    ValueError
        If the text is not a mask of this size.
    """
    n_pixels = map_size**2
    try:
        packed = zlib.decompress(base64.b64decode(text, validate=True))
    except (ValueError, zlib.error):
        raise ValueError("mask: Expected a packed mask, got other text.") from None
    if len(packed) != -(-n_pixels // 8):
        raise ValueError(
            f"mask: Expected {map_size} x {map_size} pixels, got {8 * len(packed)} pixels."
        )
    bits = np.unpackbits(np.frombuffer(packed, np.uint8), count=n_pixels)
    mask: Mask = bits.astype(bool).reshape(map_size, map_size)
    return mask
