"""Values of pixels without data, and of zeros whose logarithm is taken."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from multifield.config.data import PreprocessingConfig
from multifield.core.arrays import Maps
from multifield.maps.cutouts import cut_corner
from multifield.maps.masks import Mask, encode_mask, fill_masked, read_mask
from multifield.maps.splits import Split, maps_of
from multifield.maps.transforms import adds_one, check_pixels


@dataclass(frozen=True, eq=False)
class Fills:
    """Values that replace pixels of one field before the smoothing.

    Attributes
    ----------
    mask : (L, L) bool or None
        Pixels without data, which get the median of the others of their map. None: no pixel.
    floor : float or None
        Value of zero pixels, in the units of the field. None: zeros are kept.
    """

    mask: Mask | None = None
    floor: float | None = None

    @property
    def are_none(self) -> bool:
        """Whether no pixel is replaced."""
        return self.mask is None and self.floor is None


NONE = Fills()
"""No pixel is replaced."""


def read_mask_of(config: PreprocessingConfig, map_size: int) -> Mask | None:
    """Read the mask of maps or cut-outs; see `multifield.maps.masks.read_mask`.

    Parameters
    ----------
    config : PreprocessingConfig
        Settings with the file of the mask.
    map_size : int
        Pixels per side of the raw maps or of the cut-outs.

    Returns
    -------
    mask : (L, L) bool or None
        True where maps have no data. None if no pixel is masked.
    """
    if config.mask_file is None:
        return None
    return read_mask(config.mask_file, config.pixels(map_size))


def encode_mask_of(config: PreprocessingConfig, map_size: int) -> str | None:
    """Read the mask of maps or cut-outs as text for a card; see `read_mask_of`.

    Parameters
    ----------
    config : PreprocessingConfig
        Settings with the file of the mask.
    map_size : int
        Pixels per side of the raw maps or of the cut-outs.

    Returns
    -------
    text : str or None
        Text from `multifield.maps.masks.encode_mask`. None if no pixel is masked.
    """
    mask = read_mask_of(config, map_size)
    return None if mask is None else encode_mask(mask)


def find_floors(
    maps: Mapping[str, Maps], split: Split, config: PreprocessingConfig
) -> dict[str, float]:
    """Find the smallest positive pixel of the training maps of each field.

    Parameters
    ----------
    maps : mapping of field to (N, L, L) float32
        Raw maps.
    split : Split
        Split of the simulations.
    config : PreprocessingConfig
        Settings, which say whether zeros get a floor.

    Returns
    -------
    floors : dict of field to float
        Floors in the units of the fields. Empty if zeros are refused. Fields whose transform is
        log10(1 + x) have none.

    Raises
    ------
    ValueError
        If all training maps of a field are zero.
    """
    if config.zeros == "refuse":
        return {}
    return {field: _least(raw, field, split) for field, raw in maps.items() if not adds_one(field)}


def _least(raw: Maps, field: str, split: Split) -> float:
    least = np.inf
    for number in maps_of(split.train, len(raw) // split.n_simulations):
        one = raw[number]
        least = min(least, float(np.min(one, where=one > 0, initial=np.inf)))
    if least == np.inf:
        raise ValueError(f"zeros: Expected a positive pixel in the training maps of {field}.")
    return least


def check_and_fill(
    maps: Maps, field: str, size: int, fills: Fills, first_map: int, n_threads: int
) -> Float32[np.ndarray, "M K K"]:
    """Cut maps, check their pixels and fill those without data.

    Parameters
    ----------
    maps : (M, L, L) float32
        Raw maps. Masked pixels may have any value, also NaN.
    field : str
        Name of the field, for messages.
    size : int
        Pixels per side of the cut-outs, K.
    fills : Fills
        Values of pixels without data.
    first_map : int
        Number of the first map in its file, for messages.
    n_threads : int
        Threads over maps.

    Returns
    -------
    filled : (M, K, K) float32
        Cut-outs whose pixels are finite and >= 0.

    Raises
    ------
    ValueError
        If a pixel that is not masked is negative or not finite.
    """
    cutouts = cut_corner(maps, size)
    # the whole maps without mask, because their memory map names the file
    checked = maps if fills.mask is None else np.where(fills.mask, np.float32(1), cutouts)
    check_pixels(checked, field, allow_zero=True, first_map=first_map, n_threads=n_threads)
    if fills.mask is not None:
        cutouts = fill_masked(cutouts, fills.mask)
    if fills.floor is not None:
        cutouts = np.where(cutouts == 0, np.float32(fills.floor), cutouts)
    return cutouts
