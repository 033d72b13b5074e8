"""Sufficient statistics, likelihood and Fisher information of `MockGaussian` maps.

Modes of a Gaussian field are independent and normal. Let x = ln(k / 5 h/Mpc), a = ln A and n the
slope. The shell s of equal |k| has N_s modes of mean power P_s; `maps.power_spectrum` defines a
mode. Then

    ln L(n, a) = -1/2 sum_s N_s [a + n x_s + P_s exp(-a - n x_s)] + constant
               = -1/2 [N a + n X + T(n) exp(-a)] + constant,    T(n) = sum_s N_s P_s exp(-n x_s),

where N = L^2 and X = sum_s N_s x_s. The likelihood is concave, and P_s are sufficient statistics
of the parameters. n and a are linear in Omega_m and sigma_8.

The likelihood is exact for maps without further processing. It does not model smoothing or the
removal of the monopole.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from multifield.camels import BOX_SIZE, PARAMETERS
from multifield.core.arrays import Maps
from multifield.maps.power_spectrum import shell_power
from multifield.maps.transforms import map_moments
from multifield.mock.gaussian import (
    LN_AMPLITUDE_AT_ZERO,
    LN_AMPLITUDE_OF_SIGMA_8,
    MEAN_LOG,
    SLOPE_AT_ZERO,
    SLOPE_OF_OMEGA_M,
    ln_over_pivot,
)

Array = Float64[np.ndarray, "..."]
Cosmology = Float64[np.ndarray, "M 2"]
"""Omega_m and sigma_8, one row per map."""

SCALE = np.array([SLOPE_OF_OMEGA_M, LN_AMPLITUDE_OF_SIGMA_8])  # d(n, a) / d(Omega_m, sigma_8)
OFFSET = np.array([SLOPE_AT_ZERO, LN_AMPLITUDE_AT_ZERO])
PRIOR_LOW = SCALE * [parameter.minimum for parameter in PARAMETERS[:2]] + OFFSET
PRIOR_HIGH = SCALE * [parameter.maximum for parameter in PARAMETERS[:2]] + OFFSET


@dataclass(frozen=True, eq=False)
class Statistics:
    """Sufficient statistics of maps.

    Attributes
    ----------
    x : (K,) float64
        ln(k / pivot) of each shell.
    n_modes : (K,) int64
        Number of modes in each shell.
    power : (M, K) float64
        Mean power of the modes in each shell, about the mean of 11 dex, [dex^2 (Mpc/h)^2].
    """

    x: Array
    n_modes: np.ndarray
    power: Array

    def __len__(self) -> int:
        """Count maps."""
        return len(self.power)

    def part(self, rows: slice) -> "Statistics":
        """Select some of the maps."""
        return Statistics(self.x, self.n_modes, self.power[rows])


def summarize(log_maps: Maps, *, n_threads: int = 1) -> Statistics:
    """Reduce maps to their sufficient statistics.

    Parameters
    ----------
    log_maps : (M, L, L) float32
        log10 of maps of `MockGaussian`, not smoothed and with their monopole. A memory map is read
        block by block.
    n_threads : int, optional
        Number of threads.

    Returns
    -------
    statistics : Statistics
        Power of each map in each shell.
    """
    shells = shell_power(log_maps, BOX_SIZE, n_threads=n_threads)
    power = shells.power.copy()
    mean = map_moments(log_maps, n_threads=n_threads)[:, 1]
    power[:, 0] = BOX_SIZE**2 * (mean - MEAN_LOG) ** 2
    return Statistics(ln_over_pivot(shells.k), shells.n_modes, power)


def log_likelihood(statistics: Statistics, theta: Float64[np.ndarray, "G 2"]) -> Array:
    """Compute the log-likelihood of each map at each point of parameter space.

    Parameters
    ----------
    statistics : Statistics
        Sufficient statistics of M maps.
    theta : (G, 2) float64
        Omega_m and sigma_8, inside or outside the prior.

    Returns
    -------
    log_likelihood : (M, G) float64
        Log-likelihood up to a constant that depends only on the map size.
    """
    slope, amplitude = (theta * SCALE + OFFSET).T
    ln_power = amplitude + statistics.x[:, None] * slope  # (K, G)
    modes = statistics.n_modes
    value: Array = -0.5 * (modes @ ln_power + (statistics.power * modes) @ np.exp(-ln_power))
    return value


# ---- information ----


def fisher_matrix(map_size: int, n_maps: int = 1) -> Float64[np.ndarray, "2 2"]:
    """Compute the Fisher information of independent maps about Omega_m and sigma_8.

    F_ij = 1/2 sum over modes of (d ln P / d theta_i) (d ln P / d theta_j), independent of the
    parameters.
    """
    full = np.fft.fftfreq(map_size, BOX_SIZE / (2.0 * np.pi * map_size))
    x = ln_over_pivot(np.hypot(full[:, None], full)).ravel()
    derivative = SCALE[:, None] * np.stack([x, np.ones_like(x)])
    fisher: Float64[np.ndarray, "2 2"] = 0.5 * n_maps * derivative @ derivative.T
    return fisher


def cramer_rao_bound(map_size: int, n_maps: int = 1) -> Float64[np.ndarray, " 2"]:
    """Compute the smallest standard deviation of unbiased estimates from independent maps.

    Estimates that use the prior can be better near the edges of the latin hypercube.
    """
    bound: Float64[np.ndarray, " 2"] = np.sqrt(
        np.diag(np.linalg.inv(fisher_matrix(map_size, n_maps)))
    )
    return bound
