"""Power spectra of periodic maps.

With g_m = sum_x g(x) exp(-2 pi i m x / L) over the L^2 pixels x of a map and integer wave vectors m,
the power of a mode is P = |g_m|^2 s^2 / L^4, where s is the side of the map, so that the variance of the
pixels is the sum of P / s^2 over all modes but the zero mode. Every mode of the full plane counts as
one: of a real map a mode and its conjugate are two numbers, one that is its own conjugate is one.
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
    """Power of maps in shells of wave vectors of one length; nothing is lost of an isotropic field.

    Attributes
    ----------
    k : (K,) float64
        Wave numbers in [h/Mpc], ascending; the first is the zero mode.
    power : (N, K) float64
        Mean power of the modes of a shell, [maps^2 (Mpc/h)^2].
    n_modes : (K,) int64
        Modes in each shell; in all L^2.
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
        Bins of equal width in k, which together hold 1/2 to (L + 1)/2 fundamental modes; L // 2 unless
        told, each then one fundamental mode wide. Modes of the corners beyond are left out.
    n_threads : int, optional
        Of the transforms.

    Returns
    -------
    k : (K,) float64
        Mean wave number of the modes of each bin, [h/Mpc].
    P_k : (N, K) float64
        Mean power of the modes of each bin, [maps^2 (Mpc/h)^2].
    n_modes : (K,) int64
        Modes in each bin, of the full plane: of a Gaussian field var(P_k) = 2 P_k^2 / n_modes.

    Raises
    ------
    ValueError
        If `maps` are not square, `box_size` is not positive, there are more bins than fundamental modes,
        or a map has no finite power.

    Notes
    -----
    In float64, and tested against a sum over the pixels to `tolerances.SPECTRUM_RTOL`.
    """
    n_pixels = _check(maps, box_size)
    n_bins = n_pixels // 2 if n_bins is None else n_bins
    if not 1 <= n_bins <= n_pixels // 2:
        raise ValueError(f"n_bins: expected 1 to {n_pixels // 2}, got {n_bins}")
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
        Of the transforms.

    Returns
    -------
    shells : Shells

    Raises
    ------
    ValueError
        If `maps` are not square, `box_size` is not positive, or a map has no finite power.
    """
    lengths, label = np.unique(_squared(_check(maps, box_size)), return_inverse=True)
    k, power, n_modes = _power_in(maps, label, len(lengths), box_size, n_threads)
    return Shells(k, power, n_modes)


def _check(maps: Maps, box_size: float) -> int:
    """Return the pixels per side."""
    if maps.ndim != 3 or maps.shape[1] != maps.shape[2] or not maps.size:
        raise ValueError(f"maps: expected shape (N, L, L), N and L at least 1, got {maps.shape}")
    if not (np.isfinite(box_size) and box_size > 0):
        raise ValueError(f"box_size: expected > 0 Mpc/h, got {box_size}")
    return int(maps.shape[1])


@lru_cache(maxsize=2)
def _squared(n_pixels: int) -> _HalfPlane:
    """Squared length of the integer wave vectors of ``rfft2``, (L, L // 2 + 1)."""
    full = np.rint(scipy.fft.fftfreq(n_pixels, 1.0 / n_pixels)).astype(np.int64)
    squared: _HalfPlane = full[:, None] ** 2 + np.arange(n_pixels // 2 + 1) ** 2
    return squared


def _multiplicity(n_pixels: int) -> _HalfPlane:
    """Count what a mode of ``rfft2`` stands for: itself and its conjugate, or itself."""
    multiplicity = np.full((n_pixels, n_pixels // 2 + 1), 2, np.int64)
    multiplicity[:, 0] = 1  # whose conjugates lie in the same column
    if n_pixels % 2 == 0:
        multiplicity[:, -1] = 1
    return multiplicity


def _power_in(
    maps: Maps, label: _HalfPlane, n_bins: int, box_size: float, n_threads: int
) -> tuple[Float64[np.ndarray, " K"], Float64[np.ndarray, "N K"], Int64[np.ndarray, " K"]]:
    """Average wave number and power over the modes of each label; -1 is left out."""
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
        # float32 would drown small scales in the rounding of large ones, and of the mean
        transform = scipy.fft.rfft2(block.astype(np.float64), workers=n_threads)
        squared = (transform.real**2 + transform.imag**2).reshape(len(block), -1)
        power[first : first + len(block)] = (mean @ squared.T).T * (box_size**2 / n_pixels**4)
    finite = np.isfinite(power).all(axis=1)
    if not finite.all():
        raise ValueError(f"maps: expected finite pixels, got others in map {np.argmin(finite)}")
    return k, power, n_modes
