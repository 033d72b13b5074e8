"""Power spectra of the mock universes' matter, and predictions of CCL."""

from collections.abc import Callable
from functools import cache, lru_cache

import numpy as np
import pyccl
import scipy.fft

from multifield.camels import BOX_SIZE, HUBBLE, N_SLABS
from multifield.maps.particles import deposit_mesh, deposit_slabs
from multifield.maps.power_spectrum import power_spectrum
from multifield.mock.particle_mesh import simulate_matter, squared, wave_numbers
from multifield.mock.universe import OMEGA_B, SPECTRAL_INDEX, linear_field, linear_power

N = 64  # particles per side of the demo's universes, and pixels of their maps
REFINE = 2
EDGES = 2 * np.pi / BOX_SIZE * np.array([2.5, 4.5, 6.5, 8.5, 10.5, 12.5])  # 0.63 to 3.1 h/Mpc
EDGES_2D = 2 * np.pi / BOX_SIZE * np.array([2.5, 4.5, 6.5, 8.5, 10.5, 12.5, 14.5, 17.5, 20.5])


def power_3d(displacement: np.ndarray, box_size: float, edges: np.ndarray) -> np.ndarray:
    """Measure the power [(Mpc/h)^3] of particles between `edges` [h/Mpc], without window."""
    side = 2 * displacement.shape[1]
    modes = scipy.fft.rfftn(deposit_mesh(displacement, side)) / side**3
    window = np.prod(np.broadcast_arrays(*[np.sinc(c / side) ** 2 for c in wave_numbers(side)]), 0)
    power = np.abs(modes) ** 2 / window**2 * box_size**3
    twice = np.broadcast_to(np.where(wave_numbers(side)[2] == 0, 1.0, 2.0), power.shape)
    k = 2.0 * np.pi / box_size * np.sqrt(squared(side))
    label = np.digitize(k.ravel(), edges)
    sums = [np.bincount(label, w.ravel(), len(edges) + 1)[1:-1] for w in (power * twice, twice)]
    return sums[0] / sums[1]


def mean_k(box_size: float, n: int, edges: np.ndarray) -> np.ndarray:
    """Average the wave numbers of the modes between `edges`, [h/Mpc]."""
    side = 2 * n
    k = 2.0 * np.pi / box_size * np.sqrt(squared(side)).ravel()
    twice = np.broadcast_to(np.where(wave_numbers(side)[2] == 0, 1.0, 2.0), (side, side, n + 1))
    label = np.digitize(k, edges)
    sums = [np.bincount(label, w, len(edges) + 1)[1:-1] for w in (k * twice.ravel(), twice.ravel())]
    return sums[0] / sums[1]


def power_2d(displacement: np.ndarray) -> np.ndarray:
    """Average the power of the 15 slabs [(Mpc/h)^2] between `EDGES_2D`, without window."""
    still = np.zeros(displacement.shape[1:], np.float32)
    mass, _ = deposit_slabs(displacement, still, N, REFINE)
    k, power, n_modes = power_spectrum(mass, BOX_SIZE)
    window = np.sinc(k * BOX_SIZE / (2 * np.pi) / N / np.sqrt(2)) ** 4  # of a diagonal mode
    label = np.digitize(k, EDGES_2D)
    sums = [
        np.bincount(label, w, len(EDGES_2D) + 1)[1:-1]
        for w in (n_modes * power.mean(axis=0) / window**2, n_modes)
    ]
    return sums[0] / sums[1]


@lru_cache
def cosmology(Omega_m: float, sigma_8: float, longest: float = 0.0) -> pyccl.Cosmology:
    """Make CCL's universe with our linear power, without modes below `longest` [h/Mpc]."""
    k = np.geomspace(1e-4, 200, 3000)  # [h/Mpc]
    power = linear_power(k, Omega_m, sigma_8) * np.where(k < longest, 1e-10, 1.0)
    basis = {"Omega_c": Omega_m - OMEGA_B, "Omega_b": OMEGA_B, "h": HUBBLE, "n_s": SPECTRAL_INDEX}
    growth = pyccl.Cosmology(**basis, sigma8=sigma_8, transfer_function="eisenstein_hu")
    a = np.linspace(0.2, 1.0, 20)
    table = np.outer(pyccl.growth_factor(growth, a) ** 2, power)
    linear = {"a": a, "k": k * HUBBLE, "delta_matter:delta_matter": table / HUBBLE**3}
    return pyccl.CosmologyCalculator(
        **basis, sigma8=sigma_8, pk_linear=linear, nonlinear_model="halofit"
    )


def halofit(k: np.ndarray, Omega_m: float, sigma_8: float) -> np.ndarray:
    """Compute the nonlinear power today, [(Mpc/h)^3]; Takahashi et al. 2012, arXiv:1208.2701."""
    power = pyccl.nonlin_matter_power(cosmology(Omega_m, sigma_8), k * HUBBLE, 1.0)
    return np.asarray(power) * HUBBLE**3


LONGEST = 0.70 * 2 * np.pi / BOX_SIZE
"""Wave number [h/Mpc] below which the box has no modes.

The continuous spectrum, cut off here, gives spheres of 1 to 4 Mpc/h the same variance as the modes
of the box. This needs 0.68 to 0.71 of the fundamental mode for Omega_m of 0.1 to 0.5.
"""


def in_the_box(k: np.ndarray, Omega_m: float, sigma_8: float) -> np.ndarray:
    """Multiply `halofit` by the effect of missing modes larger than the box.

    A box of 25 Mpc/h has half the power at 1 h/Mpc, because massive halos are missing. The
    correction is the ratio of two halo models, with and without `LONGEST` (Sheth and Tormen 1999
    with concentrations of Duffy et al. 2008). It is not valid for the largest modes, below 0.7
    h/Mpc.
    """
    lost = _halo_model(k, Omega_m, sigma_8, LONGEST) / _halo_model(k, Omega_m, sigma_8, 0.0)
    return halofit(k, Omega_m, sigma_8) * np.minimum(lost, 1.0)


def _halo_model(k: np.ndarray, Omega_m: float, sigma_8: float, longest: float) -> np.ndarray:
    mass = pyccl.halos.MassDef200m
    calculator = pyccl.halos.HMCalculator(
        mass_function=pyccl.halos.MassFuncSheth99(mass_def=mass, mass_def_strict=False),
        halo_bias=pyccl.halos.HaloBiasSheth99(mass_def=mass, mass_def_strict=False),
        mass_def=mass,
    )
    concentration = pyccl.halos.ConcentrationDuffy08(mass_def=mass)
    profile = pyccl.halos.HaloProfileNFW(mass_def=mass, concentration=concentration)
    power = pyccl.halos.halomod_power_spectrum(
        cosmology(Omega_m, sigma_8, longest), calculator, k * HUBBLE, 1.0, profile
    )
    return np.asarray(power) * HUBBLE**3


def project(power: Callable[[np.ndarray], np.ndarray], k: np.ndarray) -> np.ndarray:
    """Project 3D power to slabs [(Mpc/h)^2]: sum modes along the slab with its window."""
    along = 2.0 * np.pi / BOX_SIZE * np.arange(-200, 201)
    window = np.sinc(along * BOX_SIZE / N_SLABS / (2 * np.pi)) ** 2
    return np.array([np.sum(power(np.hypot(each, along)) * window) / BOX_SIZE for each in k])


@lru_cache
def slabs_in_the_box(Omega_m: float, sigma_8: float) -> Callable[[np.ndarray], np.ndarray]:
    """Tabulate the power of slabs as a function of k, from `in_the_box`."""
    k = np.geomspace(0.2, 60, 150)
    table = np.log(in_the_box(k, Omega_m, sigma_8))
    return lambda wanted: project(
        lambda each: np.exp(np.interp(np.log(each), np.log(k), table)), wanted
    )


@cache
def measure(Omega_m: float, sigma_8: float, n_pairs: int) -> tuple[np.ndarray, np.ndarray]:
    """Average power in 3D between `EDGES` and of slabs between `EDGES_2D` over universes.

    Amplitudes are fixed to their mean and phases come in opposite pairs (Angulo and Pontzen 2016,
    arXiv:1603.05253). 64 such universes scatter by 3%, 96 universes of random amplitudes by 6%.
    """
    power = []
    for seed in range(n_pairs):
        phases = linear_field(N, Omega_m, sigma_8, np.random.default_rng([seed, 5]))
        modes = _with_mean_amplitude(phases, Omega_m, sigma_8)
        for each in (modes, -modes):
            displacement, _ = simulate_matter(each, Omega_m)
            power.append((power_3d(displacement, BOX_SIZE, EDGES), power_2d(displacement)))
    return tuple(np.mean(each, axis=0) for each in zip(*power, strict=True))


def _with_mean_amplitude(modes: np.ndarray, Omega_m: float, sigma_8: float) -> np.ndarray:
    size = np.abs(modes)
    k = 2.0 * np.pi / BOX_SIZE * np.sqrt(np.maximum(squared(N), 1.0, dtype=np.float64))
    power = linear_power(k.ravel(), Omega_m, sigma_8).reshape(k.shape)
    expected = N**3 * np.sqrt(power / BOX_SIZE**3)
    return np.where(size > 0, modes / np.maximum(size, 1e-30) * expected, 0).astype(np.complex64)
