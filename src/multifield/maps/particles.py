"""Particles of a displaced lattice: slabs, density on a mesh, and forces.

These functions are the Python interface of `mapkernels`; see `multifield.maps.transforms`.
"""

import numpy as np
from jaxtyping import Float32

from multifield.camels import N_AXES, N_SLABS
from multifield.maps.kernels import mapkernels


def deposit_slabs(
    displacement: Float32[np.ndarray, "3 n n n"],
    speed: Float32[np.ndarray, "n n n"],
    n_pixels: int,
    refine: int,
    *,
    n_slabs: int = N_SLABS,
    n_threads: int = 1,
) -> tuple[Float32[np.ndarray, "N L L"], Float32[np.ndarray, "N L L"]]:
    """Displace a lattice of mass elements and project them onto slabs along each axis.

    Elements at q = (i + 0.5) / (n refine) in a periodic unit box move to q + psi(q). The
    displacement psi is interpolated trilinearly from the lattice of particles at (i + 0.5) / n. If
    a particle has passed a neighbor along an axis, its elements stay with it: interpolation between
    streams would double the power of halos. Each element is assigned to four pixels of its slab,
    centered at (i + 0.5) / L, by cloud-in-cell.

    Parameters
    ----------
    displacement : (3, n, n, n) float32
        Displacement psi in units of the side of the box. C-contiguous.
    speed : (n, n, n) float32
        Modulus of the velocity at the lattice points in any unit, >= 0. C-contiguous.
    n_pixels : int
        Pixels per side, L, of the maps.
    refine : int
        Mass elements per lattice point, along each axis.
    n_slabs : int, optional
        Number of slabs per axis, S. By default 5, as in CMD.
    n_threads : int, optional
        Threads over the three axes, of which at most three are used. The result does not depend on
        it.

    Returns
    -------
    mass : (3 S, L, L) float32
        Surface density in units of its mean over the slabs of an axis, that is 1 + contrast. The
        number of a map is axis * S + slab. Rows and columns are the two other axes in increasing
        order.
    mean_speed : (3 S, L, L) float32
        Mass-weighted mean of `speed`, in its unit. 0 where there is no mass.

    Raises
    ------
    ValueError
        If `displacement` is not (3, n, n, n), not C-contiguous or not finite, `speed` has another
        shape, or `n_pixels`, `n_slabs` or `refine` is less than 1.
    TypeError
        If `displacement` or `speed` is not float32.
    """
    if n_pixels < 1:
        raise ValueError(f"n_pixels: Expected >= 1, got {n_pixels}.")
    mass = np.empty((N_AXES * n_slabs, n_pixels, n_pixels), np.float32)
    mean_speed = np.empty_like(mass)
    mapkernels.deposit_slabs(displacement, speed, refine, mass, mean_speed, n_threads)
    return mass, mean_speed


def deposit_mesh(
    displacement: Float32[np.ndarray, "3 n n n"], n_mesh: int
) -> Float32[np.ndarray, "m m m"]:
    """Assign the particles of a displaced lattice to a periodic mesh by cloud-in-cell.

    Parameters
    ----------
    displacement : (3, n, n, n) float32
        Displacement from the lattice at (i + 0.5) / n, in units of the side of the box.
        C-contiguous.
    n_mesh : int
        Nodes per side, m, at i / m.

    Returns
    -------
    density : (m, m, m) float32
        Density in units of its mean.

    Raises
    ------
    ValueError
        If `displacement` is not (3, n, n, n), not C-contiguous or not finite, or `n_mesh` < 1.
    TypeError
        If `displacement` is not float32.
    """
    if n_mesh < 1:
        raise ValueError(f"n_mesh: Expected >= 1, got {n_mesh}.")
    density = np.empty((n_mesh, n_mesh, n_mesh), np.float32)
    mapkernels.deposit_mesh(displacement, density)
    return density


def accelerate(
    displacement: Float32[np.ndarray, "3 n n n"], potential: Float32[np.ndarray, "m m m"]
) -> Float32[np.ndarray, "3 n n n"]:
    """Evaluate minus the gradient of a potential at the particles of a displaced lattice.

    The gradient is a four-point difference on the mesh. It is interpolated by cloud-in-cell, like
    the assignment of `deposit_mesh`, so that particles exert no net force on themselves.

    Parameters
    ----------
    displacement : (3, n, n, n) float32
        Displacement from the lattice at (i + 0.5) / n, in units of the side of the box.
        C-contiguous.
    potential : (m, m, m) float32
        Potential at the nodes i / m of a periodic mesh. C-contiguous.

    Returns
    -------
    acceleration : (3, n, n, n) float32
        Acceleration in units of the potential divided by the side of the box.

    Raises
    ------
    ValueError
        If an array has the wrong shape or is not C-contiguous, or `displacement` is not finite.
    TypeError
        If an array is not float32.
    """
    acceleration = np.empty_like(displacement)
    mapkernels.accelerate(displacement, potential, acceleration)
    return acceleration
