"""The kernels of `mapkernels` in plain NumPy and SciPy: what each must compute, for clarity.

Same names and arguments; `n_threads` is ignored. Sums and convolutions are in float64. The
conformance suite in ``tests/kernels`` runs every test on both, and uses this module as the answer.
"""

import itertools
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32, Float64, Int64
from numpy.typing import NDArray
from scipy import ndimage

from multifield.arrays import Map, Maps, Moments
from multifield.camels import MAPS_PER_SIMULATION, N_AXES, N_SLABS

LatticeField = Float32[np.ndarray, "3 n n n"]
"""A vector at each point of a cubic lattice."""
LatticeScalar = Float32[np.ndarray, "n n n"]
Mesh = Float32[np.ndarray, "m m m"]
"""A number at each node i / m of a periodic mesh."""
PixelType = Literal["float32", "float16", "bfloat16"]
"""How a pixel is stored; see `gather`."""
Pixels = NDArray[np.float32] | NDArray[np.float16] | NDArray[np.uint16]
"""Maps of a `PixelType`."""
FilePlace = tuple[int, int]
"""Descriptor of an open file and an offset in it [bytes]: where a memory map is read from."""
SlabMaps = Float32[np.ndarray, "15 L L"]
"""The maps of one simulation, in the order axis * 5 + slab."""


def gaussian_smooth(maps: Maps, out: Maps, width: float, n_threads: int = 1) -> None:
    """Convolve periodic maps with an isotropic Gaussian, truncated at 4 sigma.

    Parameters
    ----------
    maps : (N, L, L) float32
    out : (N, L, L) float32
        Receives the result; may be `maps`.
    width : float
        Standard deviation in [pixels]; 0 copies.
    n_threads : int, optional
        Ignored.
    """
    for source, target in zip(maps, out, strict=True):
        target[:] = ndimage.gaussian_filter(source.astype(np.float64), width, mode="wrap")


def log10(maps: Maps, out: Maps, n_threads: int = 1) -> None:
    """Take log10(x): 0 gives -inf, a negative value NaN."""
    with np.errstate(divide="ignore", invalid="ignore"):
        out[:] = np.log10(maps.astype(np.float64))


def log10p1(maps: Maps, out: Maps, n_threads: int = 1) -> None:
    """Take log10(1 + x), accurate for small x: -1 gives -inf, less gives NaN."""
    with np.errstate(divide="ignore", invalid="ignore"):
        out[:] = np.log1p(maps.astype(np.float64)) / np.log(10.0)


def map_moments(maps: Maps, out: Moments, n_threads: int = 1) -> None:
    """Count, mean and M2 = sum (x - mean)^2 of each map.

    Parameters
    ----------
    maps : (N, L, L) float32
    out : (N, 3) float64
        Receives a row a map: count, mean, M2.
    n_threads : int, optional
        Ignored.
    """
    for row, pixels in zip(out, maps, strict=True):
        mean = pixels.mean(dtype=np.float64)
        row[:] = pixels.size, mean, np.sum((pixels - mean) ** 2)


def combine_moments(moments: Float64[np.ndarray, "M 3"]) -> tuple[float, float, float]:
    """Count, mean and M2 of the union of sets whose moments are known, in row order.

    Parameters
    ----------
    moments : (M, 3) float64
        A row a set: count, mean, M2.

    Returns
    -------
    count, mean, m2 : float
        All 0 for no rows.

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
    """Subtract from each map its own mean, taken in float64; `out` may be `maps`."""
    out[:] = maps - maps.mean(axis=(1, 2), dtype=np.float64, keepdims=True)


def find_invalid(maps: Maps, allow_zero: bool, n_threads: int = 1) -> int:
    """Flat index of the first pixel that is not finite and positive, or -1.

    Parameters
    ----------
    maps : (N, L, L) float32
    allow_zero : bool
        Whether 0 (and -0) is valid.
    n_threads : int, optional
        Ignored.

    Returns
    -------
    first : int
        Index into ``maps.ravel()``; -1 if every pixel is valid.
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
        Finite and >= 0; after smoothing > 0 unless `plus_one`.
    out : (N, L, L) float32, optional
        Receives the log maps; None for their moments alone.
    moments : (N, 3) float64
        Receives a row a map of the log maps: count, mean, M2.
    width : float
        Of the smoothing, in [pixels].
    plus_one : bool
        log10(1 + x) instead of log10(x).
    remove_monopole : bool
        Subtract from each log map its mean.
    n_threads, file : optional
        Ignored: the pages of a memory map hold what is in its file.

    Returns
    -------
    first : int
        -1, or the flat index of the first pixel that broke the rule (in the first such map: of its
        raw pixels, else of its smoothed ones). `out` and `moments` then hold nothing of use.
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
    """Smooth into `out`; the first pixel that is invalid before, else after, or -1."""
    first = find_invalid(maps, allow_zero=True)
    if first >= 0:
        return first
    gaussian_smooth(maps, out, width)
    return find_invalid(out, allow_zero=allow_zero)


def orient(pixels: Map, orientation: int) -> Map:
    """One of the eight symmetries of the square, in the benchmark's order.

    Parameters
    ----------
    pixels : (L, L) float32
    orientation : int
        2 * (quarter turns of ``np.rot90``) + (1 to flip axis 0 afterwards).
    """
    rotated = np.rot90(pixels, k=orientation // 2)
    return np.flip(rotated, axis=0) if orientation % 2 else rotated


def gather(
    fields: Sequence[Pixels],
    index: Int64[np.ndarray, " B"],
    orientation: Int64[np.ndarray, " B"],
    shift: Int64[np.ndarray, "B 2"],
    mean: Float64[np.ndarray, " C"],
    std: Float64[np.ndarray, " C"],
    out: Pixels,
    n_threads: int = 1,
    field_dtype: PixelType = "float32",
    out_dtype: PixelType = "float32",
) -> None:
    """Assemble a batch: pick maps, shift and orient them, and standardize each channel.

    Parameters
    ----------
    fields : list of C arrays (N, L, L) of `field_dtype`
        One array a channel; memory maps are welcome.
    index : (B,) int64
        Which map.
    orientation : (B,) int64
        0 to 7, see `orient`.
    shift : (B, 2) int64
        Periodic shift along axes 0 and 1 in [pixels], before the orientation.
    mean, std : (C,) float64
        Of each channel; rounded to float32 as `mean` and ``1 / std``, finite there.
    out : (B, C, L, L) of `out_dtype`
        Receives ``(x - mean) * (1 / std)``, computed in float32 and rounded to the nearest, ties to
        even, if `out` has 16 bits.
    n_threads : int, optional
        Ignored.
    field_dtype, out_dtype : {"float32", "float16", "bfloat16"}, optional
        How pixels are stored. NumPy has no bfloat16: such an array is uint16, the upper half of the
        bits of a float32.
    """
    for b, (i, o, roll) in enumerate(zip(index, orientation, shift, strict=True)):
        for c, maps in enumerate(fields):
            shifted = np.roll(as_float32(maps[i], field_dtype), tuple(roll), axis=(0, 1))
            centered = orient(shifted, int(o)) - np.float32(mean[c])
            out[b, c] = from_float32(centered * np.float32(1.0 / std[c]), out_dtype)


def gather_raw(
    fields: Sequence[Maps],
    files: Sequence[FilePlace | None],
    steps: Sequence[tuple[float, bool, bool]],
    index: Int64[np.ndarray, " B"],
    orientation: Int64[np.ndarray, " B"],
    shift: Int64[np.ndarray, "B 2"],
    mean: Float64[np.ndarray, " C"],
    std: Float64[np.ndarray, " C"],
    out: Pixels,
    n_threads: int = 1,
    out_dtype: PixelType = "float32",
) -> int:
    """`preprocess` and then `gather`, of the maps that are asked for.

    Parameters
    ----------
    fields : list of C arrays (N, L, L) float32
        Raw maps.
    files : list of C
        Ignored, as by `preprocess`.
    steps : list of C (float, bool, bool)
        Width, `plus_one` and `remove_monopole` of each channel; see `preprocess`.
    index, orientation, shift, mean, std, out, n_threads, out_dtype
        See `gather`.

    Returns
    -------
    first : int
        -1, or (b C + c) L L + pixel of the first pixel that `preprocess` would report; `out` then holds
        nothing of use.
    """
    n_pixels = out.shape[2] * out.shape[3]
    log_maps = [np.empty((len(index), *maps.shape[1:]), np.float32) for maps in fields]
    for b, i in enumerate(index):
        for c, maps in enumerate(fields):
            row, raw = np.empty((1, 3)), np.ascontiguousarray(maps[i : i + 1])
            first = preprocess(raw, log_maps[c][b : b + 1], row, *steps[c])
            if first >= 0:
                return int((b * len(fields) + c) * n_pixels + first)
    every = np.arange(len(index))
    gather(log_maps, every, orientation, shift, mean, std, out, out_dtype=out_dtype)
    return -1


def as_float32(pixels: Pixels, dtype: PixelType) -> NDArray[np.float32]:
    """Pixels stored as `dtype`, exactly, as float32."""
    if dtype == "bfloat16":
        return (pixels.astype(np.uint32) << 16).view(np.float32)
    return pixels.astype(np.float32)


def from_float32(pixels: NDArray[np.float32], dtype: PixelType) -> Pixels:
    """Pixels rounded to `dtype`, to the nearest, ties to even."""
    if dtype == "bfloat16":
        bits = pixels.view(np.uint32)
        rounded = bits + 0x7FFF + (bits >> 16 & 1)
        return (np.where(np.isnan(pixels), bits | 0x400000, rounded) >> 16).astype(np.uint16)
    with np.errstate(over="ignore"):  # beyond 65,504 float16 is infinite
        return pixels.astype(dtype)


def deposit_slabs(
    displacement: LatticeField,
    speed: LatticeScalar,
    refine: int,
    mass: SlabMaps,
    mean_speed: SlabMaps,
    n_threads: int = 1,
) -> None:
    """Move a lattice of mass elements and project them onto five slabs along each axis.

    Elements sit at ((i + 0.5) / (n refine)) in a periodic unit box and move by the displacement,
    interpolated trilinearly from its lattice of particles at ((i + 0.5) / n). Elements of a particle
    that has passed a neighbor along an axis stay with it. Each is shared among four pixels, centred
    at (i + 0.5) / L, by cloud-in-cell.

    Parameters
    ----------
    displacement : (3, n, n, n) float32
        In units of the side of the box.
    speed : (n, n, n) float32
        Modulus of the velocity at the lattice points.
    refine : int
        Mass elements per lattice point, along each axis.
    mass : (15, L, L) float32
        Receives the mass, in units that make its mean over the five slabs of an axis 1. Map number
        axis * 5 + slab; the two other axes in increasing order.
    mean_speed : (15, L, L) float32
        Receives the mass-weighted mean of `speed`; 0 where there is no mass.
    n_threads : int, optional
        Ignored.
    """
    crossed = _of_particles(_find_crossed(displacement), refine)
    particle = [_of_particles(x.reshape(speed.shape), refine) for x in _moved(displacement, 1)]
    position = np.where(crossed, particle, _moved(displacement, refine))
    modulus = np.where(crossed, _of_particles(speed, refine), _at_elements(speed, refine))
    side = mass.shape[1]
    element_mass = N_SLABS * side**2 / modulus.size
    for number in range(MAPS_PER_SIMULATION):
        axis, slab = divmod(number, N_SLABS)
        inside = np.floor(N_SLABS * position[axis]) == slab
        plane = [position[other][inside] for other in range(N_AXES) if other != axis]
        weight = _cloud_in_cell(plane, np.ones(inside.sum()), side)
        momentum = _cloud_in_cell(plane, modulus[inside], side)
        mass[number] = weight * element_mass
        mean_speed[number] = np.divide(
            momentum, weight, out=np.zeros_like(weight), where=weight > 0.0
        )


def deposit_mesh(displacement: LatticeField, density: Mesh) -> None:
    """Spread the particles of a displaced lattice over a periodic mesh by cloud-in-cell.

    Parameters
    ----------
    displacement : (3, n, n, n) float32
        From the lattice at ((i + 0.5) / n), in units of the side of the box.
    density : (m, m, m) float32
        Receives the density at nodes i / m, in units of its mean.
    """
    side = density.shape[0]
    scaled = _moved(displacement, 1) * side
    low = np.floor(scaled).astype(np.int64)
    above = scaled - low
    total = np.zeros(density.shape)
    for corner in itertools.product((0, 1), repeat=N_AXES):
        offset = np.array(corner)[:, None]
        weight = np.prod(np.where(offset, above, 1.0 - above), axis=0)
        np.add.at(total, tuple((low + offset) % side), weight)
    density[:] = total * (density.size / scaled[0].size)


def accelerate(displacement: LatticeField, potential: Mesh, acceleration: LatticeField) -> None:
    """Evaluate minus the gradient of a potential at the particles of a displaced lattice.

    Parameters
    ----------
    displacement : (3, n, n, n) float32
        From the lattice at ((i + 0.5) / n), in units of the side of the box.
    potential : (m, m, m) float32
        At nodes i / m of a periodic mesh.
    acceleration : (3, n, n, n) float32
        Receives the four-point difference, interpolated by cloud-in-cell.
    """
    side = potential.shape[0]
    nodes = _moved(displacement, 1) * side
    values = potential.astype(np.float64)
    for axis in range(N_AXES):
        near = np.roll(values, -1, axis) - np.roll(values, 1, axis)
        far = np.roll(values, -2, axis) - np.roll(values, 2, axis)
        gradient = side * (8.0 * near - far) / 12.0
        at_particles = ndimage.map_coordinates(gradient, nodes, order=1, mode="grid-wrap")
        acceleration[axis] = -at_particles.reshape(acceleration.shape[1:])


def _moved(displacement: LatticeField, refine: int) -> NDArray[np.float64]:
    """Positions in [0, 1), (3, M), of the mass elements."""
    n = displacement.shape[1]
    lattice = (np.arange(n * refine) + 0.5) / (n * refine)
    start = np.stack(np.meshgrid(lattice, lattice, lattice, indexing="ij")).reshape(3, -1)
    position = start + np.stack([_at_elements(psi, refine) for psi in displacement])
    position -= np.floor(position)
    position[position >= 1.0] = 0.0  # -1e-17 wraps to 1.0
    return position


def _find_crossed(displacement: LatticeField) -> NDArray[np.bool_]:
    """Whether each particle has passed a neighbor along the axis that they share, (n, n, n)."""
    n = displacement.shape[1]
    crossed = np.zeros(displacement.shape[1:], bool)
    for axis in range(N_AXES):
        psi = displacement[axis].astype(np.float64)
        passed = 1.0 + n * (np.roll(psi, -1, axis) - psi) < 0.0
        crossed |= passed | np.roll(passed, 1, axis)
    return crossed


def _of_particles(values: NDArray[Any], refine: int) -> NDArray[Any]:
    """Give each mass element the value of its particle, (M,)."""
    for axis in range(N_AXES):
        values = np.repeat(values, refine, axis)
    return values.ravel()


def _at_elements(values: LatticeScalar, refine: int) -> NDArray[np.float64]:
    """Interpolate between lattice points trilinearly, (M,)."""
    n = values.shape[0]
    lattice = (np.arange(n * refine) + 0.5) / refine - 0.5
    start = np.stack(np.meshgrid(lattice, lattice, lattice, indexing="ij")).reshape(3, -1)
    interpolated: NDArray[np.float64] = ndimage.map_coordinates(
        values.astype(np.float64), start, order=1, mode="grid-wrap"
    )
    return interpolated


def _cloud_in_cell(
    plane: Sequence[NDArray[np.float64]], weight: NDArray[np.float64], side: int
) -> NDArray[np.float64]:
    """Share each element's weight among the four nearest pixels, (L, L)."""
    total = np.zeros(side * side)
    low = [np.floor(x * side - 0.5) for x in plane]
    above = [x * side - 0.5 - cell for x, cell in zip(plane, low, strict=True)]
    for row in (0, 1):
        for column in (0, 1):
            share = np.abs(1 - row - above[0]) * np.abs(1 - column - above[1])
            pixel = (low[0] + row) % side * side + (low[1] + column) % side
            total += np.bincount(pixel.astype(np.int64), weight * share, minlength=side * side)
    return total.reshape(side, side)
