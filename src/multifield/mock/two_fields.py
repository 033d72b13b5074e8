"""Five fields of which two carry everything: maps on which a search for fields has a known answer.

With w white noise of unit variance, independent from pixel to pixel and map to map, and u and v the values of
Omega_m and sigma_8 scaled to [0, 1],

======= ================================================= ===============================================
field   log10 of the map                                  what it says
======= ================================================= ===============================================
Mgas    11 + u + 0.4 w_1                                  all of Omega_m, by its mean
T       4.5 + a w_2,   a = 0.1 * 4^v                      all of sigma_8, by its scatter
ne      log10 Mgas, at most 10.6, minus 25                less: a function of Mgas that rises and saturates
P       log10 T, smoothed by 2 pixels                     less: few independent pixels are left of T
HI      4 + 0.5 w_3                                       nothing
======= ================================================= ===============================================

so that {Mgas, T} is the smallest set that knows what all five know, and the only one of two fields that does.
Names of fields and parameters are names alone: nothing of cosmology is in it. The 15 maps of a simulation
are independent draws.
"""

import math

import numpy as np
import scipy.ndimage

from multifield.camels import MAPS_PER_SIMULATION, PARAMETERS
from multifield.core.arrays import Maps

SUITE = "MockTwoFields"
CARRIERS = ("Mgas", "T")

MEAN_LOG_MGAS, MEAN_LOG_T, MEAN_LOG_HI = 11.0, 4.5, 4.0  # [dex]; CMD's orders of magnitude
SCATTER_MGAS = 0.4  # [dex] of each pixel; the mean moves by 1 dex over the latin hypercube
SMALLEST_SCATTER_T, SCATTER_RATIO_T = 0.1, 4.0  # [dex], and its growth over the latin hypercube
SATURATION = 10.6  # [dex], one scatter below the lowest mean: the few pixels below it say the rest
LOG_NE_OF_MGAS = -25.0  # [dex], to CMD's order of magnitude
SMOOTHING = 2.0  # [pixels]; leaves one independent pixel of 4 pi 2^2 = 50
SCATTER_HI = 0.5  # [dex]


def draw_simulation(
    Omega_m: float, sigma_8: float, *, map_size: int, generator: np.random.Generator
) -> dict[str, Maps]:
    """Draw the 15 independent maps of a simulation, in every field.

    Parameters
    ----------
    Omega_m, sigma_8 : float
        Name a mean and a scatter; the table at the top of this module has the formulas.
    map_size : int
        Pixels per side, L.
    generator : numpy.random.Generator
        Of the white noise: the same state gives the same structures at other parameters.

    Returns
    -------
    maps : dict of (15, L, L) float32
        Mgas, T, ne, P and HI, in CMD's units by name alone.
    """
    u, v = _scale(Omega_m, 0), _scale(sigma_8, 1)
    white = generator.standard_normal((3, MAPS_PER_SIMULATION, map_size, map_size))
    scatter = SMALLEST_SCATTER_T * SCATTER_RATIO_T**v
    log_mgas = MEAN_LOG_MGAS + u + SCATTER_MGAS * white[0]
    log_t = MEAN_LOG_T + scatter * white[1]
    logs = {
        "Mgas": log_mgas,
        "T": log_t,
        "ne": np.minimum(log_mgas, SATURATION) + LOG_NE_OF_MGAS,
        "P": scipy.ndimage.gaussian_filter(log_t, (0.0, SMOOTHING, SMOOTHING), mode="wrap"),
        "HI": MEAN_LOG_HI + SCATTER_HI * white[2],
    }
    return {field: (10.0**log).astype(np.float32) for field, log in logs.items()}


def least_errors(map_size: int) -> dict[str, float]:
    """Give the least standard errors that the pixels of one map allow, away from the prior's edges.

    The mean of n = L^2 independent pixels is known to scatter / sqrt(n), the logarithm of their scatter to
    1 / sqrt(2 n) (Cramer and Rao).

    Returns
    -------
    errors : dict of float
        Of Omega_m and sigma_8, in their own units.
    """
    scaled = (
        SCATTER_MGAS / map_size,
        1.0 / (math.sqrt(2.0) * map_size * math.log(SCATTER_RATIO_T)),
    )
    return {
        p.name: error * (p.maximum - p.minimum)
        for p, error in zip(PARAMETERS[:2], scaled, strict=True)
    }


def _scale(value: float, column: int) -> float:
    parameter = PARAMETERS[column]
    return (value - parameter.minimum) / (parameter.maximum - parameter.minimum)
