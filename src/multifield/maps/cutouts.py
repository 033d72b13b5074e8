"""Cut-outs of maps, which are not periodic."""

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
