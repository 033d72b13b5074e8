"""Particles of a displaced lattice: slabs, density on a mesh, and forces."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float32
from numpy.typing import NDArray
from scipy import ndimage

from multifield.camels import N_AXES

LatticeField = Float32[np.ndarray, "3 n n n"]
"""Vector at each point of a cubic lattice."""
LatticeScalar = Float32[np.ndarray, "n n n"]
Mesh = Float32[np.ndarray, "m m m"]
"""Scalar at each node i / m of a periodic mesh."""
SlabMaps = Float32[np.ndarray, "N L L"]
"""Maps of one simulation, in the order axis * S + slab, for S slabs per axis."""


def deposit_slabs(
    displacement: LatticeField,
    speed: LatticeScalar,
    refine: int,
    mass: SlabMaps,
    mean_speed: SlabMaps,
    n_threads: int = 1,
) -> None:
    """Displace a lattice of mass elements and project them onto slabs along each axis.

    Elements start at ((i + 0.5) / (n refine)) in a periodic unit box and move by the displacement,
    which is interpolated trilinearly from the lattice of particles at ((i + 0.5) / n). Elements of
    a particle that has passed a neighbor along an axis stay with it. Each is assigned to four
    pixels, centered at (i + 0.5) / L, by cloud-in-cell.

    Parameters
    ----------
    displacement : (3, n, n, n) float32
        Displacement in units of the side of the box.
    speed : (n, n, n) float32
        Modulus of the velocity at the lattice points.
    refine : int
        Mass elements per lattice point, along each axis.
    mass : (3 S, L, L) float32
        Output array of the mass, in units of its mean over the S slabs of an axis. The number of a
        map is axis * S + slab. Rows and columns are the two other axes in increasing order.
    mean_speed : (3 S, L, L) float32
        Output array of the mass-weighted mean of `speed`. 0 where there is no mass.
    n_threads : int, optional
        Ignored.
    """
    crossed = _of_particles(_find_crossed(displacement), refine)
    particle = [_of_particles(x.reshape(speed.shape), refine) for x in _moved(displacement, 1)]
    position = np.where(crossed, particle, _moved(displacement, refine))
    modulus = np.where(crossed, _of_particles(speed, refine), _at_elements(speed, refine))
    side, n_slabs = mass.shape[1], len(mass) // N_AXES
    element_mass = n_slabs * side**2 / modulus.size
    for number in range(len(mass)):
        axis, slab = divmod(number, n_slabs)
        inside = np.floor(n_slabs * position[axis]) == slab
        plane = [position[other][inside] for other in range(N_AXES) if other != axis]
        weight = _cloud_in_cell(plane, np.ones(inside.sum()), side)
        momentum = _cloud_in_cell(plane, modulus[inside], side)
        mass[number] = weight * element_mass
        mean_speed[number] = np.divide(
            momentum, weight, out=np.zeros_like(weight), where=weight > 0.0
        )


def deposit_mesh(displacement: LatticeField, density: Mesh) -> None:
    """Assign the particles of a displaced lattice to a periodic mesh by cloud-in-cell.

    Parameters
    ----------
    displacement : (3, n, n, n) float32
        Displacement from the lattice at ((i + 0.5) / n), in units of the side of the box.
    density : (m, m, m) float32
        Output array of the density at nodes i / m, in units of its mean.
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
        Displacement from the lattice at ((i + 0.5) / n), in units of the side of the box.
    potential : (m, m, m) float32
        Potential at the nodes i / m of a periodic mesh.
    acceleration : (3, n, n, n) float32
        Output array of the four-point difference, interpolated by cloud-in-cell.
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
    """Return the positions of the mass elements in [0, 1), (3, M)."""
    n = displacement.shape[1]
    lattice = (np.arange(n * refine) + 0.5) / (n * refine)
    start = np.stack(np.meshgrid(lattice, lattice, lattice, indexing="ij")).reshape(3, -1)
    position = start + np.stack([_at_elements(psi, refine) for psi in displacement])
    position -= np.floor(position)
    position[position >= 1.0] = 0.0  # -1e-17 wraps to 1.0
    return position


def _find_crossed(displacement: LatticeField) -> NDArray[np.bool_]:
    """Return whether each particle has passed a neighbor along an axis, (n, n, n)."""
    n = displacement.shape[1]
    crossed = np.zeros(displacement.shape[1:], bool)
    for axis in range(N_AXES):
        psi = displacement[axis].astype(np.float64)
        passed = 1.0 + n * (np.roll(psi, -1, axis) - psi) < 0.0
        crossed |= passed | np.roll(passed, 1, axis)
    return crossed


def _of_particles(values: NDArray[Any], refine: int) -> NDArray[Any]:
    """Repeat the value of each particle for its mass elements, (M,)."""
    for axis in range(N_AXES):
        values = np.repeat(values, refine, axis)
    return values.ravel()


def _at_elements(values: LatticeScalar, refine: int) -> NDArray[np.float64]:
    """Interpolate trilinearly between lattice points, (M,)."""
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
    """Assign the weight of each element to the four nearest pixels, (L, L)."""
    total = np.zeros(side * side)
    low = [np.floor(x * side - 0.5) for x in plane]
    above = [x * side - 0.5 - cell for x, cell in zip(plane, low, strict=True)]
    for row in (0, 1):
        for column in (0, 1):
            share = np.abs(1 - row - above[0]) * np.abs(1 - column - above[1])
            pixel = (low[0] + row) % side * side + (low[1] + column) % side
            total += np.bincount(pixel.astype(np.int64), weight * share, minlength=side * side)
    return total.reshape(side, side)
