"""Instruments: the beam and the noise that observed maps have and simulated ones lack."""

from collections.abc import Iterable
from zlib import crc32

import numpy as np

from multifield.core.arrays import Maps
from multifield.maps.cutouts import smooth_cutouts
from multifield.maps.transforms import gaussian_smooth


def observe(
    maps: Maps,
    numbers: Iterable[int],
    field: str,
    *,
    noise: float,
    beam: float,
    periodic: bool = True,
) -> Maps:
    """Give each map a beam and noise of its own.

    The width of the beam and the level of the noise are drawn uniformly from 0 to a limit.

    Parameters
    ----------
    maps : (N, L, L) float32
        Maps in any unit, finite and >= 0.
    numbers : iterable of int
        Number of each map in its file. The draws depend on it and on `field` alone.
    field : str
        Name of the field. Each field of a map has draws of its own.
    noise : float
        Largest standard deviation of the noise relative to each pixel, which is the inverse of the
        lowest signal-to-noise.
    beam : float
        Largest standard deviation of the Gaussian beam [pixels].
    periodic : bool, optional
        Whether the maps are periodic. Others are mirrored at their edges.

    Returns
    -------
    observed : (N, L, L) float32
        Smoothed maps times exp(n), with n from a Gaussian. Same units as `maps`, and `maps` itself
        if both limits are 0.

    Notes
    -----
    The noise is Gaussian in the logarithm, which networks read: a pixel stays positive.
    """
    if not (noise or beam):
        return maps
    observed = np.empty(maps.shape, np.float32)
    smooth = gaussian_smooth if periodic else smooth_cutouts
    for one, number, out in zip(maps, numbers, observed, strict=True):
        rng = np.random.default_rng([crc32(field.encode()), number])
        level, width = rng.uniform(0, (noise, beam))
        out[...] = smooth(np.ascontiguousarray(one[None]), width)[0]
        if level:
            out *= np.exp(np.float32(level) * rng.standard_normal(out.shape, np.float32))
    return observed
