"""Make `jaxpm_modes.npz` and `jaxpm_power.npz`: matter from the same initial conditions, by JaxPM.

JaxPM is no dependency of the project. In an environment that has multifield, install it and run::

    pip install jaxpm==0.1.6 jax-cosmo==0.1.0
    python -m tests.reference.data.make_jaxpm

64^3 particles, a mesh of 64^3 and 60 leapfrog steps equal in the scale factor from 2LPT at a = 0.05:
five times the steps of the mock universes. JaxPM has as many nodes as particles. The files hold the modes of
the density contrast today up to wave number 8 along each axis, 2 h/Mpc, and the power of the same phases
in twelve other cosmologies, from which the response to each parameter follows.
"""

import itertools
from pathlib import Path

import jax
import jax.numpy as jnp
import jax_cosmo
import numpy as np
import scipy.fft
from jaxpm.pm import lpt, make_ode_fn

from multifield.camels import BOX_SIZE
from multifield.maps.particles import deposit_mesh
from multifield.mock.universe import linear_field
from tests.reference import matter

N, N_STEPS, FIRST_A = 64, 60, 0.05
OMEGA_M, SIGMA_8, SEED = 0.3, 0.8, 7
HIGHEST = 8  # wave number kept, in units of 2 pi / box


def evolve(contrast: np.ndarray, Omega_m: float) -> np.ndarray:
    """Displacement today in units of the box, (3, n, n, n), of particles on a lattice."""
    cosmology = jax_cosmo.Planck15(Omega_c=Omega_m - 0.049, Omega_b=0.049, h=0.67, Omega_k=0.0)
    step = jax.jit(make_ode_fn((N, N, N)))
    lattice = jnp.stack(jnp.meshgrid(*[jnp.arange(N)] * 3, indexing="ij"), axis=-1).astype(float)
    first, momentum, _ = lpt(cosmology, jnp.asarray(contrast), lattice, a=FIRST_A, order=2)
    position = lattice + first
    edges = np.linspace(FIRST_A, 1.0, N_STEPS + 1)
    for a, after in itertools.pairwise(edges):
        half, middle = 0.5 * (after - a), 0.5 * (after + a)
        momentum = momentum + half * step((position, momentum), a, cosmology)[1]
        position = position + 2.0 * half * step((position, momentum), middle, cosmology)[0]
        momentum = momentum + half * step((position, momentum), after, cosmology)[1]
    moved = np.asarray(position - lattice) / N
    return np.ascontiguousarray(np.moveaxis(moved, -1, 0), np.float32)


def responses() -> list[tuple[float, float]]:
    """Omega_m and sigma_8 of pairs that differ in sigma_8, then in Omega_m, about each Omega_m."""
    pairs = []
    for center in (0.1, 0.3, 0.5):
        pairs += [(center, 0.72), (center, 0.88), (0.9 * center, 0.8), (1.1 * center, 0.8)]
    return pairs


def displacement_of(Omega_m: float, sigma_8: float) -> np.ndarray:
    """Evolve the phases of `SEED`."""
    modes = linear_field(N, Omega_m, sigma_8, np.random.default_rng(SEED))
    return evolve(scipy.fft.irfftn(modes, s=(N, N, N)), Omega_m)


def main() -> None:
    """Evolve, transform, and keep the large scales."""
    folder = Path(__file__).parent
    density = scipy.fft.rfftn(deposit_mesh(displacement_of(OMEGA_M, SIGMA_8), 2 * N))
    kept = np.r_[0 : HIGHEST + 1, -HIGHEST:0]
    np.savez(
        folder / "jaxpm_modes.npz",
        modes=(density[np.ix_(kept, kept, np.arange(HIGHEST + 1))] / (2 * N) ** 3).astype(
            np.complex64
        ),
        Omega_m=OMEGA_M,
        sigma_8=SIGMA_8,
        seed=SEED,
        n=N,
    )
    moved = [displacement_of(*each) for each in responses()]
    np.savez(
        folder / "jaxpm_power.npz",
        cosmologies=np.array(responses()),
        power_3d=np.array([matter.power_3d(each, BOX_SIZE, matter.EDGES) for each in moved]),
        power_2d=np.array([matter.power_2d(each) for each in moved]),
        seed=SEED,
    )


if __name__ == "__main__":
    main()
