"""Gaussian random fields whose power spectrum has two parameters, with a known posterior.

The log10 of a map of `MockGaussian` is a periodic Gaussian random field [dex] with the power
spectrum

    P(k) = A (k / 5 h/Mpc)^n  [dex^2 (Mpc/h)^2],  n = 5 Omega_m - 3.5,  log10 A = 2.5 sigma_8 - 4.5.

CMD's latin hypercube, Omega_m 0.1 to 0.5 and sigma_8 0.6 to 1.0, covers n from -3 to -1 and A from
10^-3 to 10^-2. The parameters have only the names of cosmological ones. The zero mode has the
power of the fundamental mode k_f = 2 pi / 25 h/Mpc. The mean is 11 dex, CMD's order of magnitude.

The 15 maps of a simulation are independent draws. They share parameters but no structure.
"""

from functools import lru_cache

import numpy as np
import scipy.fft
from jaxtyping import Float64

from multifield.camels import BOX_SIZE, MAPS_PER_SIMULATION
from multifield.core.arrays import Maps

SUITE = "MockGaussian"
PIVOT = 5.0  # [h/Mpc]; slope and amplitude of 64-pixel maps are little correlated here
MEAN_LOG = 11.0  # [dex], mean of log10 of the maps; Mcdm of CMD's IllustrisTNG: 10.984
FUNDAMENTAL = 2.0 * np.pi / BOX_SIZE  # k_f [h/Mpc]
SLOPE_OF_OMEGA_M, SLOPE_AT_ZERO = 5.0, -3.5  # n, from -3 to -1 over the latin hypercube
# ln A [dex^2 (Mpc/h)^2]. Maps vary by 0.08 to 0.9 dex. float32 rounds 11 dex to 5e-7, which adds
# at most 3e-8 to the power of any mode up to 256 pixels
LN_AMPLITUDE_OF_SIGMA_8, LN_AMPLITUDE_AT_ZERO = 2.5 * np.log(10.0), -4.5 * np.log(10.0)

Wavenumbers = Float64[np.ndarray, "..."]


def power_law(k: Wavenumbers, Omega_m: float, sigma_8: float) -> Wavenumbers:
    """Compute the power spectrum of the log maps; the module docstring has the formula.

    Parameters
    ----------
    k : (...) float64
        Wave numbers [h/Mpc]; 0 has the power of the fundamental mode.
    Omega_m, sigma_8 : float
        Parameters of the slope and the amplitude.

    Returns
    -------
    P_k : (...) float64
        Power [dex^2 (Mpc/h)^2].
    """
    slope = SLOPE_OF_OMEGA_M * Omega_m + SLOPE_AT_ZERO
    ln_amplitude = LN_AMPLITUDE_OF_SIGMA_8 * sigma_8 + LN_AMPLITUDE_AT_ZERO
    P_k: Wavenumbers = np.exp(ln_amplitude + slope * ln_over_pivot(k))
    return P_k


def ln_over_pivot(k: Wavenumbers) -> Wavenumbers:
    """Compute ln(k / pivot); k = 0 is replaced by the fundamental mode."""
    ratio: Wavenumbers = np.log(np.where(k == 0, FUNDAMENTAL, k) / PIVOT)
    return ratio


def draw_simulation(
    Omega_m: float, sigma_8: float, *, map_size: int, generator: np.random.Generator
) -> Maps:
    """Draw the 15 independent maps of a simulation.

    White noise is colored in Fourier space. Every mode of the periodic map has exactly the
    variance of `power_law`, including the corners beyond the Nyquist frequency.

    Parameters
    ----------
    Omega_m, sigma_8 : float
        Parameters of the slope and the amplitude.
    map_size : int
        Pixels per side, L.
    generator : numpy.random.Generator
        Random generator of the white noise. The same state gives the same structures at other
        parameters.

    Returns
    -------
    maps : (15, L, L) float32
        10 to the power of the Gaussian field, nominally in (M_sun/h)/(Mpc/h)^2.
    """
    pixel_area = (BOX_SIZE / map_size) ** 2  # [(Mpc/h)^2]
    amplitude = np.sqrt(power_law(wavenumbers(map_size), Omega_m, sigma_8) / pixel_area)
    white = generator.standard_normal((MAPS_PER_SIMULATION, map_size, map_size))
    field = scipy.fft.irfft2(scipy.fft.rfft2(white) * amplitude, s=(map_size, map_size))
    maps: Maps = (10.0 ** (MEAN_LOG + field)).astype(np.float32)
    return maps


@lru_cache(maxsize=2)
def wavenumbers(map_size: int) -> Wavenumbers:
    """Compute the modulus of the wave vectors of ``rfft2``, (L, L // 2 + 1), [h/Mpc]."""
    spacing = BOX_SIZE / (2.0 * np.pi * map_size)
    full, half = scipy.fft.fftfreq(map_size, spacing), scipy.fft.rfftfreq(map_size, spacing)
    k: Wavenumbers = np.hypot(full[:, None], half[None, :])
    return k
