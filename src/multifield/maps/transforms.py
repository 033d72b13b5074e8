"""Transforms of maps: smoothing, logarithm, monopole and moments.

These functions are the Python interface of `mapkernels`. `multifield.maps.reference` implements the
same kernels in NumPy and SciPy.

Results depend neither on the number of threads nor on how maps are split into blocks. Machines with
other vector instructions (`mapkernels.instructions`) may differ in the last digits, within the
tolerances.
"""

import numpy as np
from jaxtyping import Float64

from multifield.camels import FIELDS
from multifield.core.arrays import Maps, Moments
from multifield.maps.kernels import FileError, mapkernels
from multifield.maps.memory import place_in_file, source_name


def gaussian_smooth(maps: Maps, width: float, *, n_threads: int = 1) -> Maps:
    """Convolve periodic maps with an isotropic Gaussian.

    In Fourier space each map is multiplied by exp(-k^2 width^2 / 2), k in [radians/pixel].

    Parameters
    ----------
    maps : (N, L, L) float32
        Maps in any unit, periodic in both axes. C-contiguous.
    width : float
        Standard deviation of the Gaussian in [pixels]. 0 returns a copy.
    n_threads : int, optional
        Threads over maps. The result does not depend on it.

    Returns
    -------
    smoothed : (N, L, L) float32
        Same units as `maps`. The mean of each map is preserved.

    Raises
    ------
    ValueError
        If `width` is negative or not finite, or `maps` is not (N, L, L) or not C-contiguous.
    TypeError
        If `maps` is not float32.

    Notes
    -----
    The Gaussian is truncated at 4 sigma, like `scipy.ndimage.gaussian_filter(mode="wrap")`, against
    which it is tested to `tolerances.SMOOTH_RTOL`. Pixels are added in pairs, so pixels of 2^127
    (1.7e38) and above may give inf.
    """
    smoothed = np.empty(maps.shape, np.float32)
    mapkernels.gaussian_smooth(maps, smoothed, width, n_threads)
    return smoothed


def log_transform(maps: Maps, field: str, *, n_threads: int = 1) -> Maps:
    """Take the logarithm of maps as the benchmark does.

    The transform is log10(x), or log10(1 + x) for Mstar, which contains zeros.

    Parameters
    ----------
    maps : (N, L, L) float32
        Maps in the units of `field`: finite, and > 0 (>= 0 for log10(1 + x)).
    field : str
        Name of the field, a key of `camels.FIELDS`.
    n_threads : int, optional
        Threads over maps. The result does not depend on it.

    Returns
    -------
    log_maps : (N, L, L) float32
        Log maps in [dex].

    Raises
    ------
    ValueError
        If the field is unknown, or a pixel has no finite logarithm.
    TypeError
        If `maps` is not float32.

    Notes
    -----
    Accurate to `tolerances.LOG_ULP`.
    """
    plus_one = adds_one(field)
    check_pixels(maps, field, allow_zero=plus_one, n_threads=n_threads)
    log_maps = np.empty(maps.shape, np.float32)
    (mapkernels.log10p1 if plus_one else mapkernels.log10)(maps, log_maps, n_threads)
    return log_maps


def remove_monopole(maps: Maps, *, n_threads: int = 1) -> Maps:
    """Subtract the mean of each map, computed in float64.

    Parameters
    ----------
    maps : (N, L, L) float32
        Maps, usually log maps.
    n_threads : int, optional
        Threads over maps. The result does not depend on it.

    Returns
    -------
    fluctuations : (N, L, L) float32
        Maps with mean 0 within the rounding error of float32.
    """
    fluctuations = np.empty(maps.shape, np.float32)
    mapkernels.remove_monopole(maps, fluctuations, n_threads)
    return fluctuations


def map_moments(maps: Maps, *, n_threads: int = 1) -> Moments:
    """Return count, mean and M2 = sum (x - mean)^2 of each map, in float64.

    Parameters
    ----------
    maps : (N, L, L) float32
        Maps in any unit.
    n_threads : int, optional
        Threads over maps. The result does not depend on it.

    Returns
    -------
    moments : (N, 3) float64
        Moments, one row per map. `combine_moments` merges rows.
    """
    moments = np.empty((len(maps), 3))
    mapkernels.map_moments(maps, moments, n_threads)
    return moments


def combine_moments(moments: Float64[np.ndarray, "M 3"]) -> tuple[float, float, float]:
    """Combine the moments of several maps. The standard deviation is sqrt(M2 / count).

    Parameters
    ----------
    moments : (M, 3) float64
        Rows of `map_moments`, combined in their order.

    Returns
    -------
    count, mean, m2 : float
        Moments of all pixels. All are 0 if there are no rows.

    References
    ----------
    Chan, Golub & LeVeque 1983, The American Statistician 37, 242.
    """
    return mapkernels.combine_moments(moments)


def check_pixels(
    maps: Maps, field: str, *, allow_zero: bool, first_map: int = 0, n_threads: int = 1
) -> None:
    """Check that every pixel is finite and positive, or zero if allowed.

    Parameters
    ----------
    maps : (N, L, L) float32
        Block of maps.
    field : str
        Name of the field, for messages about maps that are not memory maps.
    allow_zero : bool
        Whether 0 is valid.
    first_map : int, optional
        Number of the block's first map in its file, for messages.
    n_threads : int, optional
        Threads over maps. The result does not depend on it.

    Raises
    ------
    ValueError
        If a pixel is invalid. The message names the file, map, pixel and value.
    """
    first = mapkernels.find_invalid(maps, allow_zero, n_threads)
    if first >= 0:
        rule = "a finite value >= 0" if allow_zero else "a finite value > 0"
        place = _place(maps, first, field, first_map)
        raise ValueError(f"{place}: Expected {rule}, got {maps.flat[first]}.")


def preprocess_block(
    maps: Maps,
    out: Maps | None,
    moments: Moments,
    *,
    field: str,
    width: float,
    without_monopole: bool,
    n_threads: int,
    first_map: int = 0,
) -> None:
    """Compute log maps and their moments from raw maps, in one pass over memory.

    The result is bitwise identical to a check of the pixels followed by `gaussian_smooth`,
    `log_transform`, `remove_monopole` (if requested) and `map_moments`.

    Parameters
    ----------
    maps : (N, L, L) float32
        Block of raw maps in the units of `field`: finite and >= 0.
    out : (N, L, L) float32, optional
        Output array of the log maps, which must not overlap `maps`. None computes only the moments.
    moments : (N, 3) float64
        Output array of count, mean and M2 of each log map.
    field : str
        Name of the field, which determines the logarithm.
    width : float
        Standard deviation of the smoothing in [pixels]. 0 disables smoothing.
    without_monopole : bool
        Whether to subtract the mean of each log map.
    n_threads : int
        Threads over maps. The result does not depend on it.
    first_map : int, optional
        Number of the block's first map in its file, for messages.

    Raises
    ------
    OSError
        If the file behind a memory map has been truncated. The message names it.
    ValueError
        If a pixel is negative or not finite, or if the argument of a logarithm is zero or, after
        smoothing, infinite. The message names the file, map, pixel and value. `out`
        and `moments` are then undefined.
    """
    plus_one = adds_one(field)
    steps = (width, plus_one, without_monopole)
    try:
        first = mapkernels.preprocess(maps, out, moments, *steps, n_threads, place_in_file(maps))
    except FileError as error:
        raise OSError(f"{source_name(maps, field)}: {error}") from None
    if first < 0:
        return
    place = _place(maps, first, field, first_map)
    raw = maps.flat[first]
    if not (np.isfinite(raw) and raw >= 0):
        raise ValueError(f"{place}: Expected a finite value >= 0, got {raw}.")
    number, pixel = divmod(first, maps[0].size)
    smoothed = gaussian_smooth(maps[number : number + 1], width).flat[pixel]
    rule = ">= 0" if plus_one else "> 0"
    hint = "" if smoothed else " --params zeros=floor gives zeros the smallest training pixel."
    after = f" after smoothing by {width:g} pixels" if width else ""
    raise ValueError(
        f"{place}: Expected a finite value {rule}{after}, because {field} is transformed to "
        f"{FIELDS[field].transform}, got {smoothed}.{hint}"
    )


def adds_one(field: str) -> bool:
    """Return whether the logarithm of a field is log10(1 + x).

    Parameters
    ----------
    field : str
        Name of the field, a key of `camels.FIELDS`.

    Returns
    -------
    adds_one : bool
        True for log10(1 + x), False for log10(x).

    Raises
    ------
    ValueError
        If the field is unknown.
    """
    if field not in FIELDS:
        raise ValueError(f"field: Expected one of {', '.join(FIELDS)}, got {field!r}.")
    return FIELDS[field].transform == "log10(1+x)"


def _place(maps: Maps, flat_index: int, field: str, first_map: int) -> str:
    """Return the place of a pixel as ``file: map 17, pixel (3, 5)``."""
    number, pixel = divmod(flat_index, maps[0].size)
    row, column = divmod(pixel, maps.shape[2])
    return f"{source_name(maps, field)}: map {first_map + number}, pixel ({row}, {column})"
