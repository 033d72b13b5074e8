"""Matter in mock universes: parameters, linear power spectrum, surface density and speed.

A Gaussian field in a periodic box evolves under gravity (`particle_mesh`). Displacement and
speed are interpolated between particles to mass elements, which are projected.
"""

from dataclasses import dataclass

import numpy as np
import scipy.fft
from colossus.cosmology.power_spectrum import modelEisenstein98
from jaxtyping import Float32, Float64
from scipy.stats import qmc

from multifield.camels import (
    BOX_SIZE,
    CMD,
    CRITICAL_DENSITY,
    HUBBLE,
    N_SLABS,
    ParameterSpace,
)
from multifield.core.arrays import Maps, Theta
from multifield.maps.particles import deposit_slabs
from multifield.mock.particle_mesh import LatticeModes, LatticeVector, simulate_matter, squared

OMEGA_B = 0.049  # baryon density in CMD's LH sets; arXiv:2010.00619
SPECTRAL_INDEX = 0.9624  # n_s in CMD's LH sets; arXiv:2010.00619
CMB_TEMPERATURE = 2.7255  # [K]; Fixsen 2009, arXiv:0911.1955
SIGMA_RADIUS = 8.0  # [Mpc/h], radius of sigma_8's top hat
# share of the matter that is spread evenly: the emptiest Mtot pixel of CMD's IllustrisTNG LH has
# 4.665e9 / 4.163e11 = 0.011 of the mean
DIFFUSE_FRACTION = 0.01
SLAB_THICKNESS = BOX_SIZE / N_SLABS  # [Mpc/h]
THETA_DECIMALS = 5  # decimals of CMD's tables; simulations use the rounded values

INITIAL_CONDITIONS, GAS_SCATTER, HYPERCUBE = range(3)  # streams of random numbers
N_STREAMS = 3

_K_SIGMA = np.geomspace(1e-4, 20.0, 4000)  # [h/Mpc]; gives sigma_8 to 1e-5


@dataclass(frozen=True, kw_only=True)
class Background:
    """Box and cosmological parameters that are the same in all of CMD's LH sets.

    Attributes
    ----------
    Omega_b : float
        Baryon density today over the critical density.
    h : float
        Hubble parameter.
    n_s : float
        Slope of the primordial power spectrum.
    box : float
        Side of the box, [Mpc/h].
    """

    Omega_b: float = OMEGA_B
    h: float = HUBBLE
    n_s: float = SPECTRAL_INDEX
    box: float = BOX_SIZE

    @property
    def n_slabs(self) -> int:
        """Number of slabs per axis."""
        return round(self.box / SLAB_THICKNESS)


@dataclass(frozen=True)
class Universe:
    """Projected matter of one simulation.

    Attributes
    ----------
    Omega_m : float
        Matter density today over the critical density.
    density : (N, L, L) float32
        Surface density over its cosmic mean. The mean over the slabs of an axis is 1.
    speed : (N, L, L) float32
        Mass-weighted mean modulus of the velocity, [km/s].
    background : Background
        Box and other cosmological parameters.
    """

    Omega_m: float
    density: Maps
    speed: Maps
    background: Background = Background()

    @property
    def baryon_fraction(self) -> float:
        """Share of the matter that is baryons."""
        return self.background.Omega_b / self.Omega_m


def random_generator(
    seed: int, simulation: int, stream: int, hypercube: int = 0
) -> np.random.Generator:
    """Make the random generator for one purpose in one simulation of one latin hypercube.

    The numbers do not depend on the other simulations. Stream 0 of hypercube 0 equals
    ``np.random.default_rng([seed, simulation])``, because NumPy pads seeds with zeros.
    """
    return np.random.default_rng([seed, simulation, stream + N_STREAMS * hypercube])


def sample_theta(
    n_simulations: int,
    seed: int,
    hypercube: int = 0,
    space: ParameterSpace = CMD,
    *,
    sobol: bool = False,
) -> Theta:
    """Draw parameters from a latin hypercube or a Sobol sequence.

    Parameters
    ----------
    n_simulations : int
        Number of rows. A different number gives a different table.
    seed : int
        Random seed, >= 0.
    hypercube : int, optional
        Number of the design. Different numbers give independent tables.
    space : ParameterSpace, optional
        Parameters, drawn uniformly in their coordinates between their bounds. By default CMD's six.
    sobol : bool, optional
        Whether the design is a scrambled Sobol sequence, as in SB sets.

    Returns
    -------
    theta : (S, P) float64
        Parameters in physical units, rounded to 5 decimals so that text files are exact.
    """
    rng = random_generator(seed, 0, HYPERCUBE, hypercube)
    if sobol:  # a power of two of points is drawn, because fewer are not balanced
        exponent = max(0, n_simulations - 1).bit_length()
        design = qmc.Sobol(len(space), rng=rng).random_base2(exponent)[:n_simulations]
    else:
        design = qmc.LatinHypercube(len(space), rng=rng).random(n_simulations)
    return np.round(space.physical(space.unscale(design)), THETA_DECIMALS)


def mean_surface_density(Omega: float) -> float:
    """Compute the mean surface density of a slab for density parameter `Omega`.

    Parameters
    ----------
    Omega : float
        Density of the component over the critical density.

    Returns
    -------
    density : float
        Mean surface density, [(M_sun/h)/(Mpc/h)^2].
    """
    return Omega * CRITICAL_DENSITY * SLAB_THICKNESS


# ---- the linear field ----


def linear_power(
    k: Float64[np.ndarray, " K"],
    Omega_m: float,
    sigma_8: float,
    background: Background = Background(),
) -> Float64[np.ndarray, " K"]:
    """Compute the linear matter power spectrum today, flat LCDM, normalized to `sigma_8`.

    Parameters
    ----------
    k : (K,) float64
        Wave numbers [h/Mpc], > 0.
    Omega_m, sigma_8 : float
        Cosmological parameters.
    background : Background, optional
        The other parameters, by default CMD's.

    Returns
    -------
    P_k : (K,) float64
        Power [(Mpc/h)^3].

    Notes
    -----
    The transfer function is Eisenstein and Hu 1998 from colossus, called without colossus' global
    cosmology and cache. The normalization is computed here, because colossus' takes 60 ms, as long
    as the mass deposit of a simulation.
    """
    shape = _unnormalized_power(_K_SIGMA, Omega_m, background)
    x = SIGMA_RADIUS * _K_SIGMA
    window = 3.0 * (np.sin(x) - x * np.cos(x)) / x**3  # top hat
    variance = np.trapezoid(_K_SIGMA**3 * shape * window**2, np.log(_K_SIGMA)) / (2.0 * np.pi**2)
    unnormalized = _unnormalized_power(k, Omega_m, background)
    P_k: Float64[np.ndarray, " K"] = sigma_8**2 / variance * unnormalized
    return P_k


def _unnormalized_power(
    k: Float64[np.ndarray, " K"], Omega_m: float, background: Background
) -> Float64[np.ndarray, " K"]:
    transfer = modelEisenstein98(k, background.h, Omega_m, background.Omega_b, CMB_TEMPERATURE)
    power: Float64[np.ndarray, " K"] = k**background.n_s * transfer**2
    return power


def linear_field(
    n: int,
    Omega_m: float,
    sigma_8: float,
    generator: np.random.Generator,
    background: Background = Background(),
) -> LatticeModes:
    """Draw the modes of the density contrast, extrapolated linearly to today.

    Parameters
    ----------
    n : int
        Lattice points per side of the box.
    Omega_m, sigma_8 : float
        Cosmological parameters.
    generator : numpy.random.Generator
        Random generator of the phases. The same state gives the same structures in another
        cosmology.
    background : Background, optional
        Box and other cosmological parameters, by default CMD's.

    Returns
    -------
    modes : (n, n, n // 2 + 1) complex64
        ``scipy.fft.rfftn`` of the field.
    """
    shell = squared(n).astype(np.int32)
    k = 2.0 * np.pi / background.box * np.sqrt(np.arange(1, shell.max() + 1))  # [h/Mpc]
    cell_volume = (background.box / n) ** 3  # [(Mpc/h)^3]
    amplitude = np.sqrt(linear_power(k, Omega_m, sigma_8, background) / cell_volume)
    # each mode of white noise has power n^3; the mean contrast is 0
    table = np.concatenate([[0.0], amplitude]).astype(np.float32)
    white = generator.standard_normal((n, n, n), dtype=np.float32)
    modes: LatticeModes = scipy.fft.rfftn(white) * table[shell]
    return modes


# ---- maps ----


def make_universe(
    Omega_m: float,
    sigma_8: float,
    *,
    map_size: int,
    lattice: int,
    refine: int,
    generator: np.random.Generator,
    background: Background = Background(),
) -> Universe:
    """Simulate the matter of one universe and project it.

    Parameters
    ----------
    Omega_m, sigma_8 : float
        Cosmological parameters.
    map_size : int
        Pixels per side of a map, L.
    lattice : int
        Particles per side.
    refine : int
        Mass elements per particle along each axis.
    generator : numpy.random.Generator
        Random generator of the initial conditions.
    background : Background, optional
        Box and other cosmological parameters, by default CMD's.

    Returns
    -------
    universe : Universe
        Density and speed, one map per axis and slab, ordered by axis. The density is > 0
        everywhere.
    """
    modes = linear_field(lattice, Omega_m, sigma_8, generator, background)
    displacement, velocity = simulate_matter(modes, Omega_m)
    modulus = _modulus(velocity, background.box)
    mass, speed = deposit_slabs(displacement, modulus, map_size, refine, n_slabs=background.n_slabs)
    density = (1.0 - DIFFUSE_FRACTION) * mass + DIFFUSE_FRACTION
    return Universe(Omega_m, density, _speed(mass, speed), background)


def _modulus(velocity: LatticeVector, box: float) -> Float32[np.ndarray, "n n n"]:
    """Compute speeds [km/s] from velocities in box sides times H_0; H_0 is 100 km/s/(Mpc/h)."""
    squared_speed = np.einsum("i...,i...->...", velocity, velocity)
    speed: Float32[np.ndarray, "n n n"] = np.float32(100.0 * box) * np.sqrt(squared_speed)
    return speed


def _speed(mass: Maps, speed: Maps) -> Maps:
    """Average the speed of all matter; the diffuse matter has the mean speed."""
    mean = float(np.mean(mass * speed, dtype=np.float64))
    momentum = (1.0 - DIFFUSE_FRACTION) * mass * speed + DIFFUSE_FRACTION * mean
    density = (1.0 - DIFFUSE_FRACTION) * mass + DIFFUSE_FRACTION
    mean_speed: Maps = momentum / density
    return mean_speed


def total_matter(universe: Universe) -> Maps:
    """Compute the surface density of all matter, (N, L, L), [(M_sun/h)/(Mpc/h)^2]."""
    return universe.density * np.float32(mean_surface_density(universe.Omega_m))
