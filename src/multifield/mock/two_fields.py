"""Five fields, two of which carry all information: a field search has a known answer here.

w is white noise of unit variance, independent for each pixel and map. u and v are Omega_m and
sigma_8 scaled to [0, 1].

======= ================================================= ===============================================
field   log10 of the map                                  information
======= ================================================= ===============================================
Mgas    11 + u + 0.4 w_1                                  all about Omega_m, in its mean
T       4.5 + a w_2,   a = 0.1 * 4^v                      all about sigma_8, in its scatter
ne      log10 Mgas, at most 10.6, minus 25                less: a saturating function of Mgas
P       log10 T, smoothed by 2 pixels                     less: fewer independent pixels than T
HI      4 + 0.5 w_3                                       none
======= ================================================= ===============================================

{Mgas, T} is the smallest set with all the information, and the only such set of two fields. The
fields and parameters have only the names of physical ones. The 15 maps of a simulation are
independent draws.
"""

import math

import numpy as np
import scipy.ndimage

from multifield.camels import MAPS_PER_SIMULATION, PARAMETERS
from multifield.core.arrays import Maps

SUITE = "MockTwoFields"
CARRIERS = ("Mgas", "T")

MEAN_LOG_MGAS, MEAN_LOG_T, MEAN_LOG_HI = 11.0, 4.5, 4.0  # [dex]; CMD's orders of magnitude
SCATTER_MGAS = 0.4  # [dex] per pixel; the mean moves by 1 dex over the latin hypercube
SMALLEST_SCATTER_T, SCATTER_RATIO_T = 0.1, 4.0  # [dex], and its growth over the latin hypercube
SATURATION = 10.6  # [dex], one scatter below the lowest mean: few pixels below it keep information
LOG_NE_OF_MGAS = -25.0  # [dex], offset to CMD's order of magnitude
SMOOTHING = 2.0  # [pixels]; leaves one independent pixel per 4 pi 2^2 = 50
SCATTER_HI = 0.5  # [dex]


def draw_simulation(
    Omega_m: float, sigma_8: float, *, map_size: int, generator: np.random.Generator
) -> dict[str, Maps]:
    """Draw the 15 independent maps of a simulation, in every field.

    Parameters
    ----------
    Omega_m, sigma_8 : float
        Parameters of a mean and a scatter; the module docstring has the formulas.
    map_size : int
        Pixels per side, L.
    generator : numpy.random.Generator
        Random generator of the white noise. The same state gives the same structures at other
        parameters.

    Returns
    -------
    maps : dict of (15, L, L) float32
        Maps of Mgas, T, ne, P and HI, nominally in CMD's units.
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
    """Compute the Cramer-Rao bounds of one map, away from the prior's edges.

    n = L^2 independent pixels give the mean to scatter / sqrt(n), and ln(scatter) to 1 / sqrt(2 n).

    Parameters
    ----------
    map_size : int
        Pixels per side, L.

    Returns
    -------
    errors : dict of float
        Smallest standard deviation of Omega_m and sigma_8, in their own units.
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
