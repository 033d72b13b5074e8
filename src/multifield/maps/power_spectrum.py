"""Power spectra of periodic maps.

The transform is g_m = sum_x g(x) exp(-2 pi i m x / L), with L^2 pixels x and integer wave vectors
m. The power of a mode is P = |g_m|^2 s^2 / L^4, where s is the side of the map. The variance of the
pixels is then the sum of P / s^2 over all modes except the zero mode.

Every mode of the full plane counts once. A mode of a real map and its conjugate count as two, and a
mode that is its own conjugate counts as one.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.fft
import scipy.sparse
from jaxtyping import Float64, Int64

from multifield.core.arrays import Maps
from multifield.maps.memory import blocks_of

_HalfPlane = Int64[np.ndarray, "L half"]


@dataclass(frozen=True, eq=False)
class Shells:
    """Power of maps in shells of wave vectors of equal length.

    The shells keep all the information of an isotropic Gaussian field.

    Attributes
    ----------
    k : (K,) float64
        Wave numbers in [h/Mpc], ascending; the first is the zero mode.
    power : (N, K) float64
        Mean power of the modes of a shell, [maps^2 (Mpc/h)^2].
    n_modes : (K,) int64
        Number of modes in each shell. The sum is L^2.
    """

    k: Float64[np.ndarray, " K"]
    power: Float64[np.ndarray, "N K"]
    n_modes: Int64[np.ndarray, " K"]


def power_spectrum(
    maps: Maps, box_size: float, n_bins: int | None = None, *, n_threads: int = 1
) -> tuple[Float64[np.ndarray, " K"], Float64[np.ndarray, "N K"], Int64[np.ndarray, " K"]]:
    """Measure the isotropic power spectrum of each map, from the fundamental mode to Nyquist.

    Parameters
    ----------
    maps : (N, L, L) float32
        Periodic in both axes. Memory maps are read a block at a time.
    box_size : float
        Side of a map in [Mpc/h].
    n_bins : int, optional
        Number of bins of equal width in k, from 1/2 to (L + 1)/2 fundamental modes. By default L //
        2, which makes each bin one fundamental mode wide. Modes in the corners are left out.
    n_threads : int, optional
        Number of threads of the Fourier transforms.

    Returns
    -------
    k : (K,) float64
        Mean wave number of the modes of each bin, [h/Mpc].
    P_k : (N, K) float64
        Mean power of the modes of each bin, [maps^2 (Mpc/h)^2].
    n_modes : (K,) int64
        Number of modes of the full plane in each bin. For a Gaussian field,
        var(P_k) = 2 P_k^2 / n_modes.

    Raises
    ------
    ValueError
        If `maps` are not square, `box_size` is not positive, `n_bins` exceeds L // 2, or the power
        of a map is not finite.

    Notes
    -----
    Computed in float64 and tested against a sum over the pixels to `tolerances.SPECTRUM_RTOL`.
    """
    n_pixels = _check(maps, box_size)
    n_bins = n_pixels // 2 if n_bins is None else n_bins
    if not 1 <= n_bins <= n_pixels // 2:
        raise ValueError(f"n_bins: Expected 1 to {n_pixels // 2}, got {n_bins}.")
    length = np.sqrt(_squared(n_pixels))
    edges = np.linspace(0.5, n_pixels // 2 + 0.5, n_bins + 1)
    label = np.digitize(length, edges) - 1
    label[label == n_bins] = -1
    return _power_in(maps, label, n_bins, box_size, n_threads)


def shell_power(maps: Maps, box_size: float, *, n_threads: int = 1) -> Shells:
    """Measure the power of each map in every shell of wave vectors of one length.

    Parameters
    ----------
    maps : (N, L, L) float32
        Periodic in both axes. Memory maps are read a block at a time.
    box_size : float
        Side of a map in [Mpc/h].
    n_threads : int, optional
        Number of threads of the Fourier transforms.

    Returns
    -------
    shells : Shells
        Wave numbers, power of each map, and number of modes.

    Raises
    ------
    ValueError
        If `maps` are not square, `box_size` is not positive, or the power of a map is not finite.
    """
    lengths, label = np.unique(_squared(_check(maps, box_size)), return_inverse=True)
    k, power, n_modes = _power_in(maps, label, len(lengths), box_size, n_threads)
    return Shells(k, power, n_modes)


def _check(maps: Maps, box_size: float) -> int:
    """Return the pixels per side."""
    if maps.ndim != 3 or maps.shape[1] != maps.shape[2] or not maps.size:
        raise ValueError(f"maps: Expected shape (N, L, L), N and L at least 1, got {maps.shape}.")
    if not (np.isfinite(box_size) and box_size > 0):
        raise ValueError(f"box_size: Expected > 0 Mpc/h, got {box_size}.")
    return int(maps.shape[1])


@lru_cache(maxsize=2)
def _squared(n_pixels: int) -> _HalfPlane:
    """Return the squared length of the integer wave vectors of ``rfft2``, (L, L // 2 + 1)."""
    full = np.rint(scipy.fft.fftfreq(n_pixels, 1.0 / n_pixels)).astype(np.int64)
    squared: _HalfPlane = full[:, None] ** 2 + np.arange(n_pixels // 2 + 1) ** 2
    return squared


def _multiplicity(n_pixels: int) -> _HalfPlane:
    """Return 2 for modes of ``rfft2`` whose conjugate is left out, 1 for the others."""
    multiplicity = np.full((n_pixels, n_pixels // 2 + 1), 2, np.int64)
    multiplicity[:, 0] = 1  # their conjugates are in the same column
    if n_pixels % 2 == 0:
        multiplicity[:, -1] = 1
    return multiplicity


def _power_in(
    maps: Maps, label: _HalfPlane, n_bins: int, box_size: float, n_threads: int
) -> tuple[Float64[np.ndarray, " K"], Float64[np.ndarray, "N K"], Int64[np.ndarray, " K"]]:
    """Average wave number and power over the modes of each label. Label -1 is left out."""
    n_pixels = maps.shape[1]
    inside = np.flatnonzero(label >= 0)
    labels, modes = label.ravel()[inside], _multiplicity(n_pixels).ravel()[inside]
    n_modes = np.bincount(labels, modes, n_bins).astype(np.int64)
    mean = scipy.sparse.csr_array(
        (modes / n_modes[labels], (labels, inside)), shape=(n_bins, label.size)
    )
    k = 2.0 * np.pi / box_size * (mean @ np.sqrt(_squared(n_pixels).ravel()))
    power = np.empty((len(maps), n_bins))
    for first, block in blocks_of(maps):
        # float32 would lose small scales in the rounding error of large ones and of the mean
        transform = scipy.fft.rfft2(block.astype(np.float64), workers=n_threads)
        squared = (transform.real**2 + transform.imag**2).reshape(len(block), -1)
        power[first : first + len(block)] = (mean @ squared.T).T * (box_size**2 / n_pixels**4)
    finite = np.isfinite(power).all(axis=1)
    if not finite.all():
        raise ValueError(
            f"maps: Expected finite pixels, got NaN or inf in map {np.argmin(finite)}."
        )
    return k, power, n_modes
