"""What is done to maps: smooth, take the logarithm, remove the monopole, measure, deposit.

The Python face of `mapkernels`. `multifield.maps.reference` says the same in NumPy and SciPy.

Results depend neither on threads nor on how maps are cut into blocks. Machines with other vector
instructions (`mapkernels.instructions`) may differ in the last digits, within the tolerances.
"""

import numpy as np
from jaxtyping import Float32, Float64

from multifield.camels import FIELDS, MAPS_PER_SIMULATION
from multifield.core.arrays import Maps, Moments
from multifield.maps.kernels import FileError, mapkernels
from multifield.maps.memory import place_in_file


def gaussian_smooth(maps: Maps, width: float, *, n_threads: int = 1) -> Maps:
    """Convolve periodic maps with an isotropic Gaussian.

    In Fourier space each map is multiplied by exp(-k^2 width^2 / 2), k in [radians/pixel].

    Parameters
    ----------
    maps : (N, L, L) float32
        Maps in any unit, periodic in both axes. C-contiguous.
    width : float
        Standard deviation of the Gaussian in [pixels]; 0 returns a copy.
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
    Truncated at 4 sigma as `scipy.ndimage.gaussian_filter(mode="wrap")`, against which it is
    tested to `tolerances.SMOOTH_RTOL`. Pixels are added in pairs, so those of 2^127 (1.7e38) and
    above may give inf.
    """
    smoothed = np.empty(maps.shape, np.float32)
    mapkernels.gaussian_smooth(maps, smoothed, width, n_threads)
    return smoothed


def log_transform(maps: Maps, field: str, *, n_threads: int = 1) -> Maps:
    """Take the logarithm that the benchmark takes of a field.

    log10(x), but log10(1 + x) for Mstar, which has true zeros.

    Parameters
    ----------
    maps : (N, L, L) float32
        In the units of `field`; finite, >= 0, and > 0 where the transform is log10(x).
    field : str
        Name of the field, a key of `camels.FIELDS`.
    n_threads : int, optional
        Threads over maps. The result does not depend on it.

    Returns
    -------
    log_maps : (N, L, L) float32

    Raises
    ------
    ValueError
        If the field is unknown, or a pixel has no finite logarithm: names the field, the map, the
        pixel and the value.
    TypeError
        If `maps` is not float32.

    Notes
    -----
    Accurate to `tolerances.LOG_ULP`.
    """
    plus_one = adds_one(field)
    check_pixels(maps, field, "", allow_zero=plus_one, n_threads=n_threads)
    log_maps = np.empty(maps.shape, np.float32)
    (mapkernels.log10p1 if plus_one else mapkernels.log10)(maps, log_maps, n_threads)
    return log_maps


def remove_monopole(maps: Maps, *, n_threads: int = 1) -> Maps:
    """Subtract from each map its own mean, taken in float64.

    Parameters
    ----------
    maps : (N, L, L) float32
        Usually log maps.
    n_threads : int, optional
        Threads over maps. The result does not depend on it.

    Returns
    -------
    fluctuations : (N, L, L) float32
        Each map has mean 0 within the rounding of float32.
    """
    fluctuations = np.empty(maps.shape, np.float32)
    mapkernels.remove_monopole(maps, fluctuations, n_threads)
    return fluctuations


def map_moments(maps: Maps, *, n_threads: int = 1) -> Moments:
    """Count, mean and M2 = sum (x - mean)^2 of each map, in float64.

    Parameters
    ----------
    maps : (N, L, L) float32
    n_threads : int, optional
        Threads over maps. The result does not depend on it.

    Returns
    -------
    moments : (N, 3) float64
        A row a map; `combine_moments` merges rows.
    """
    moments = np.empty((len(maps), 3))
    mapkernels.map_moments(maps, moments, n_threads)
    return moments


def combine_moments(moments: Float64[np.ndarray, "M 3"]) -> tuple[float, float, float]:
    """Count, mean and M2 of all maps together; the standard deviation is sqrt(M2 / count).

    Parameters
    ----------
    moments : (M, 3) float64
        Rows of `map_moments`, combined in their order.

    Returns
    -------
    count, mean, m2 : float
        All 0 for no rows.

    References
    ----------
    Chan, Golub & LeVeque 1983, The American Statistician 37, 242.
    """
    return mapkernels.combine_moments(moments)


def check_pixels(
    maps: Maps,
    field: str,
    source: str,
    allow_zero: bool,
    *,
    first_map: int = 0,
    n_threads: int = 1,
) -> None:
    """Check that every pixel is finite and positive, or zero where that is allowed.

    Parameters
    ----------
    maps : (N, L, L) float32
        A block of the maps of `source`.
    field : str
        Name of the field, for the message if there is no source.
    source : str
        Where the maps come from, such as a file name; may be empty.
    allow_zero : bool
        Whether 0 is valid.
    first_map : int, optional
        Number of the block's first map in the source, for the message.
    n_threads : int, optional
        Threads over maps. The result does not depend on it.

    Raises
    ------
    ValueError
        Names the source, map, simulation, pixel and value of the first pixel that is invalid.
    """
    first = mapkernels.find_invalid(maps, allow_zero, n_threads)
    if first >= 0:
        rule = "a finite value >= 0" if allow_zero else "a finite value > 0"
        place = _place(maps, first, source or field, first_map)
        raise ValueError(f"{place}: expected {rule}, got {maps.flat[first]}")


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
    source: str = "",
) -> None:
    """Turn raw maps into log maps and their moments, in one pass over memory.

    Check, `gaussian_smooth`, `log_transform`, `remove_monopole` if asked, `map_moments`: equal to
    these, bit for bit.

    Parameters
    ----------
    maps : (N, L, L) float32
        A block of raw maps, in the units of `field`: finite and >= 0.
    out : (N, L, L) float32, optional
        Receives the log maps; None for their moments alone. Apart from `maps`.
    moments : (N, 3) float64
        Receives count, mean and M2 of each log map.
    field : str
        Name of the field; it decides the logarithm.
    width : float
        Of the smoothing, in [pixels]; 0 for none.
    without_monopole : bool
        Subtract from each log map its own mean.
    n_threads : int
        Threads over maps. The result does not depend on it.
    first_map : int, optional
        Number of the block's first map in the source, for the message.
    source : str, optional
        Where the maps come from, for the message.

    Raises
    ------
    OSError
        If the file behind a memory map has been cut short; names it.
    ValueError
        If a pixel is not finite or negative, or if the argument of a logarithm is zero or, after
        smoothing, infinite. Names the source, map, simulation, pixel and value; `out` and
        `moments` are then of no use.
    """
    plus_one = adds_one(field)
    steps = (width, plus_one, without_monopole)
    try:
        first = mapkernels.preprocess(maps, out, moments, *steps, n_threads, place_in_file(maps))
    except FileError as error:
        raise OSError(f"{source or field}: {error}") from None
    if first < 0:
        return
    place = _place(maps, first, source or field, first_map)
    raw = maps.flat[first]
    if not (np.isfinite(raw) and raw >= 0):
        raise ValueError(f"{place}: expected a finite value >= 0, got {raw}")
    number, pixel = divmod(first, maps[0].size)
    smoothed = gaussian_smooth(maps[number : number + 1], width).flat[pixel]
    rule = ">= 0" if plus_one else "> 0"
    after = f" after smoothing by {width:g} pixels" if width else ""
    raise ValueError(
        f"{place}: expected a finite value {rule}{after}, because {field} is taken as "
        f"{FIELDS[field].transform}; got {smoothed}"
    )


def deposit_slabs(
    displacement: Float32[np.ndarray, "3 n n n"],
    speed: Float32[np.ndarray, "n n n"],
    n_pixels: int,
    refine: int,
    *,
    n_threads: int = 1,
) -> tuple[Float32[np.ndarray, "15 L L"], Float32[np.ndarray, "15 L L"]]:
    """Move a lattice of mass elements and project them onto five slabs along each axis.

    Elements at q = (i + 0.5) / (n refine) in a periodic unit box move to q + psi(q), with psi
    interpolated trilinearly from its lattice of particles at (i + 0.5) / n. Where a particle has
    passed a neighbor along an axis, its elements stay with it: interpolation between streams would
    double the power of halos. Each element is shared among four pixels of its slab, centered at
    (i + 0.5) / L, by cloud-in-cell.

    Parameters
    ----------
    displacement : (3, n, n, n) float32
        psi in units of the side of the box; C-contiguous.
    speed : (n, n, n) float32
        Modulus of the velocity at the lattice points in any unit, >= 0; C-contiguous.
    n_pixels : int
        Pixels per side, L, of the maps.
    refine : int
        Mass elements per lattice point, along each axis.
    n_threads : int, optional
        Threads over the three axes; more are of no use. The result does not depend on it.

    Returns
    -------
    mass : (15, L, L) float32
        Surface density in units of its mean over the five slabs of an axis, so 1 + contrast. Map
        number axis * 5 + slab; rows and columns are the two other axes in increasing order.
    mean_speed : (15, L, L) float32
        Mass-weighted mean of `speed`, in its unit; 0 where there is no mass.

    Raises
    ------
    ValueError
        If `displacement` is not (3, n, n, n), not C-contiguous or not finite, `speed` has another
        lattice, or `n_pixels` or `refine` is less than 1.
    TypeError
        If `displacement` or `speed` is not float32.
    """
    if n_pixels < 1:
        raise ValueError(f"n_pixels: expected >= 1, got {n_pixels}")
    mass = np.empty((MAPS_PER_SIMULATION, n_pixels, n_pixels), np.float32)
    mean_speed = np.empty_like(mass)
    mapkernels.deposit_slabs(displacement, speed, refine, mass, mean_speed, n_threads)
    return mass, mean_speed


def deposit_mesh(
    displacement: Float32[np.ndarray, "3 n n n"], n_mesh: int
) -> Float32[np.ndarray, "m m m"]:
    """Spread the particles of a displaced lattice over a periodic mesh by cloud-in-cell.

    Parameters
    ----------
    displacement : (3, n, n, n) float32
        From the lattice at (i + 0.5) / n, in units of the side of the box; C-contiguous.
    n_mesh : int
        Nodes per side, m, at i / m.

    Returns
    -------
    density : (m, m, m) float32
        In units of its mean.

    Raises
    ------
    ValueError
        If `displacement` is not (3, n, n, n), not C-contiguous or not finite, or `n_mesh` < 1.
    TypeError
        If `displacement` is not float32.
    """
    if n_mesh < 1:
        raise ValueError(f"n_mesh: expected >= 1, got {n_mesh}")
    density = np.empty((n_mesh, n_mesh, n_mesh), np.float32)
    mapkernels.deposit_mesh(displacement, density)
    return density


def accelerate(
    displacement: Float32[np.ndarray, "3 n n n"], potential: Float32[np.ndarray, "m m m"]
) -> Float32[np.ndarray, "3 n n n"]:
    """Evaluate minus the gradient of a potential at the particles of a displaced lattice.

    The gradient is a four-point difference on the mesh, interpolated by cloud-in-cell as
    `deposit_mesh` spreads: particles exert no net force on themselves.

    Parameters
    ----------
    displacement : (3, n, n, n) float32
        From the lattice at (i + 0.5) / n, in units of the side of the box; C-contiguous.
    potential : (m, m, m) float32
        At nodes i / m of a periodic mesh; C-contiguous.

    Returns
    -------
    acceleration : (3, n, n, n) float32
        In units of the potential over the side of the box.

    Raises
    ------
    ValueError
        If a shape is another, an array is not C-contiguous, or `displacement` is not finite.
    TypeError
        If an array is not float32.
    """
    acceleration = np.empty_like(displacement)
    mapkernels.accelerate(displacement, potential, acceleration)
    return acceleration


def adds_one(field: str) -> bool:
    """Whether the field's logarithm is log10(1 + x); ValueError names the known fields."""
    if field not in FIELDS:
        raise ValueError(f"field: expected one of {', '.join(FIELDS)}; got {field!r}")
    return FIELDS[field].transform == "log10(1+x)"


def _place(maps: Maps, flat_index: int, source: str, first_map: int) -> str:
    """Name a pixel: ``source: map 17 (simulation 1), pixel (3, 5)``."""
    number, pixel = divmod(flat_index, maps[0].size)
    row, column = divmod(pixel, maps.shape[2])
    number += first_map
    simulation = number // MAPS_PER_SIMULATION
    return f"{source}: map {number} (simulation {simulation}), pixel ({row}, {column})"
