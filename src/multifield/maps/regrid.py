"""Conservative change of the pixel size of maps."""

import numpy as np
from jaxtyping import Float32, Float64

from multifield.core.arrays import Maps


def regrid(maps: Maps, n_pixels: int) -> Float32[np.ndarray, "N M M"]:
    """Average maps over the pixels of another grid of the same side, weighted by area.

    Parameters
    ----------
    maps : (N, L, L) float32
        Surface densities or means over pixels, in any unit.
    n_pixels : int
        Pixels per side of the new grid, M >= 1. It need not divide L.

    Returns
    -------
    regridded : (N, M, M) float32
        Same units as `maps`. The mean of each map is preserved, and so the sum of a surface density
        times the area of a pixel.

    Notes
    -----
    All fields of CMD are surface densities or means. A mean that is weighted by mass, such as a
    temperature, is averaged by area too, because the weights are not in the map.
    """
    weights = _overlaps(maps.shape[-1], n_pixels)
    averaged = np.stack([weights @ each.astype(np.float64) @ weights.T for each in maps])
    return averaged.astype(np.float32)


def _overlaps(n_from: int, n_to: int) -> Float64[np.ndarray, "M L"]:
    """Return the share of each new pixel that each old pixel covers, along one axis."""
    # in units of 1 / (n_from n_to) of the side, so that the overlaps are exact integers
    old, new = n_to * np.arange(n_from + 1), n_from * np.arange(n_to + 1)
    begin, end = np.maximum(new[:-1, None], old[:-1]), np.minimum(new[1:, None], old[1:])
    shares: np.ndarray = np.maximum(end - begin, 0) / n_from
    return shares
