"""Cut-outs and tiles of maps, which are not periodic."""

from itertools import product
from math import ceil

import numpy as np
from jaxtyping import Float32

from multifield.core.arrays import Maps
from multifield.maps.transforms import gaussian_smooth

TRUNCATION = 4  # [standard deviations] at which `gaussian_smooth` ends


def cut_corner(maps: Maps, size: int) -> Float32[np.ndarray, "N M M"]:
    """Cut the first pixels of each axis out of maps.

    Parameters
    ----------
    maps : (N, L, L) float32
        Maps in any unit.
    size : int
        Pixels per side of the cut-outs, at most L.

    Returns
    -------
    cutouts : (N, M, M) float32
        Cut-outs of M = `size` pixels, contiguous. They are `maps` itself if they have this size.
    """
    return maps if maps.shape[-1] == size else np.ascontiguousarray(maps[:, :size, :size])


def tile_corners(n_pixels: int, size: int) -> list[tuple[int, int]]:
    """Place tiles on a map: as few as cover it, with the first and the last one at its edges.

    Parameters
    ----------
    n_pixels : int
        Pixels per side of the map, at least `size`.
    size : int
        Pixels per side of a tile.

    Returns
    -------
    corners : list of tuple of int
        Row and column of the first pixel of each tile. Tiles overlap only if `n_pixels` is not a
        multiple of `size`.
    """
    n_tiles = ceil(n_pixels / size)
    first = np.linspace(0, n_pixels - size, n_tiles).round().astype(int).tolist()
    return list(product(first, first))


def cut_tiles(maps: Maps, size: int) -> Float32[np.ndarray, "T M M"]:
    """Cut maps into tiles; see `tile_corners`.

    Parameters
    ----------
    maps : (N, L, L) float32
        Maps in any unit.
    size : int
        Pixels per side of a tile, at most L.

    Returns
    -------
    tiles : (T, M, M) float32
        T tiles of M = `size` pixels per side, rows ordered (tile, map).
    """
    corners = tile_corners(maps.shape[-1], size)
    return np.concatenate([maps[:, i : i + size, j : j + size] for i, j in corners])


def smooth_cutouts(cutouts: Maps, width: float, *, n_threads: int = 1) -> Maps:
    """Convolve maps with an isotropic Gaussian and mirror them at their edges.

    Parameters
    ----------
    cutouts : (N, L, L) float32
        Maps in any unit, not periodic.
    width : float
        Standard deviation of the Gaussian in [pixels]. 0 returns `cutouts` itself.
    n_threads : int, optional
        Threads over maps. The result does not depend on it.

    Returns
    -------
    smoothed : (N, L, L) float32
        Same units as `cutouts`. The mean of each map is preserved.

    Notes
    -----
    The map is extended by mirror images as far as the Gaussian reaches. This is
    `scipy.ndimage.gaussian_filter(mode="reflect")`.
    """
    if not width:
        return cutouts
    edge = ceil(TRUNCATION * width)
    extended = np.pad(cutouts, ((0, 0), (edge, edge), (edge, edge)), mode="symmetric")
    smoothed = gaussian_smooth(extended, width, n_threads=n_threads)
    return np.ascontiguousarray(smoothed[:, edge:-edge, edge:-edge])
