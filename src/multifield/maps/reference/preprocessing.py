"""Smoothing, logarithm, moments and validity checks of maps."""

import numpy as np
from jaxtyping import Float64
from scipy import ndimage

from multifield.core.arrays import Maps, Moments

FilePlace = tuple[int, int]
"""Descriptor of an open file and offset in it in [bytes]."""


def gaussian_smooth(maps: Maps, out: Maps, width: float, n_threads: int = 1) -> None:
    """Convolve periodic maps with an isotropic Gaussian, truncated at 4 sigma.

    Parameters
    ----------
    maps : (N, L, L) float32
        Maps, periodic in both axes.
    out : (N, L, L) float32
        Output array, which may be `maps`.
    width : float
        Standard deviation in [pixels]. 0 copies.
    n_threads : int, optional
        Ignored.
    """
    for source, target in zip(maps, out, strict=True):
        target[:] = ndimage.gaussian_filter(source.astype(np.float64), width, mode="wrap")


def log10(maps: Maps, out: Maps, n_threads: int = 1) -> None:
    """Take log10(x). 0 gives -inf, negative values give NaN."""
    with np.errstate(divide="ignore", invalid="ignore"):
        out[:] = np.log10(maps.astype(np.float64))


def log10p1(maps: Maps, out: Maps, n_threads: int = 1) -> None:
    """Take log10(1 + x), accurate for small x. -1 gives -inf, smaller values give NaN."""
    with np.errstate(divide="ignore", invalid="ignore"):
        out[:] = np.log1p(maps.astype(np.float64)) / np.log(10.0)


def map_moments(maps: Maps, out: Moments, n_threads: int = 1) -> None:
    """Compute count, mean and M2 = sum (x - mean)^2 of each map.

    Parameters
    ----------
    maps : (N, L, L) float32
        Maps in any unit.
    out : (N, 3) float64
        Output array, one row per map: count, mean, M2.
    n_threads : int, optional
        Ignored.
    """
    for row, pixels in zip(out, maps, strict=True):
        mean = pixels.mean(dtype=np.float64)
        row[:] = pixels.size, mean, np.sum((pixels - mean) ** 2)


def combine_moments(moments: Float64[np.ndarray, "M 3"]) -> tuple[float, float, float]:
    """Combine the moments of several sets of pixels, in row order.

    Parameters
    ----------
    moments : (M, 3) float64
        One row per set: count, mean, M2.

    Returns
    -------
    count, mean, m2 : float
        Moments of the union. All are 0 if there are no rows.

    References
    ----------
    Chan, Golub & LeVeque 1983, The American Statistician 37, 242.
    """
    count, mean, m2 = 0.0, 0.0, 0.0
    for row_count, row_mean, row_m2 in moments.tolist():
        total = count + row_count
        if total == 0.0:
            continue
        shift = row_mean - mean
        mean += shift * (row_count / total)
        m2 += row_m2 + shift * shift * (count * (row_count / total))
        count = total
    return count, mean, m2


def remove_monopole(maps: Maps, out: Maps, n_threads: int = 1) -> None:
    """Subtract the mean of each map, computed in float64. `out` may be `maps`."""
    out[:] = maps - maps.mean(axis=(1, 2), dtype=np.float64, keepdims=True)


def find_invalid(maps: Maps, allow_zero: bool, n_threads: int = 1) -> int:
    """Return the flat index of the first pixel that is not finite and positive, or -1.

    Parameters
    ----------
    maps : (N, L, L) float32
        Maps in any unit.
    allow_zero : bool
        Whether 0 (and -0) is valid.
    n_threads : int, optional
        Ignored.

    Returns
    -------
    first : int
        Index into ``maps.ravel()``, or -1 if every pixel is valid.
    """
    positive = maps >= 0.0 if allow_zero else maps > 0.0
    invalid = np.flatnonzero(~(positive & np.isfinite(maps)))
    return int(invalid[0]) if invalid.size else -1


def preprocess(
    maps: Maps,
    out: Maps | None,
    moments: Moments,
    width: float,
    plus_one: bool,
    remove_monopole: bool,
    n_threads: int = 1,
    file: FilePlace | None = None,
) -> int:
    """Check, smooth, take the logarithm, optionally remove the monopole, and take moments.

    Parameters
    ----------
    maps : (N, L, L) float32
        Raw maps: finite and >= 0, and after smoothing > 0 unless `plus_one`.
    out : (N, L, L) float32, optional
        Output array of the log maps. None computes only the moments.
    moments : (N, 3) float64
        Output array of the moments of the log maps, one row per map: count, mean, M2.
    width : float
        Standard deviation of the smoothing in [pixels].
    plus_one : bool
        Whether to take log10(1 + x) instead of log10(x).
    remove_monopole : bool
        Whether to subtract the mean of each log map.
    n_threads, file : optional
        Ignored. Pixels are read from the memory map.

    Returns
    -------
    first : int
        -1, or the flat index of the first invalid pixel: in the first such map, of its raw pixels,
        else of its smoothed pixels. `out` and `moments` are then undefined.
    """
    log_map = np.empty((1, *maps.shape[1:]), np.float32)
    for i in range(len(maps)):
        target = log_map if out is None else out[i : i + 1]
        first = _smooth_valid(maps[i : i + 1], target, width, allow_zero=plus_one)
        if first >= 0:
            return i * target.size + first
        (log10p1 if plus_one else log10)(target, target)
        if remove_monopole:
            target -= target.mean(dtype=np.float64)
        map_moments(target, moments[i : i + 1])
    return -1


def _smooth_valid(maps: Maps, out: Maps, width: float, *, allow_zero: bool) -> int:
    """Smooth into `out`. Return the first pixel that is invalid before, else after, or -1."""
    first = find_invalid(maps, allow_zero=True)
    if first >= 0:
        return first
    gaussian_smooth(maps, out, width)
    return find_invalid(out, allow_zero=allow_zero)
