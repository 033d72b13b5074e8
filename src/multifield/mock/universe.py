"""Matter in mock universes: parameters, linear power spectrum, displacement, surface density and speed.

A Gaussian field in CMD's periodic box is moved by augmented Lagrangian perturbation theory to its
first order: the Zel'dovich displacement on large scales, spherical collapse on small ones. Zel'dovich
alone crosses shells so often at sigma_8 of 0.8 that every halo is a cloud; with spherical collapse
the web has filaments, knots and voids. log10 of the surface density has a standard deviation of 0.54
at 256 pixels (Mcdm of CMD's IllustrisTNG: 0.51).

References
----------
Kitaura and Hess 2013, MNRAS 435, L78, arXiv:1212.3514 (the combination of the two displacements);
Bernardeau 1994, ApJ 427, 51, and Neyrinck 2013, MNRAS 428, 141 (spherical collapse).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.fft
from colossus.cosmology.power_spectrum import modelEisenstein98
from jaxtyping import Complex64, Float32, Float64, Int32
from scipy.stats import qmc

from multifield.arrays import Maps, Theta
from multifield.camels import BOX_SIZE, CRITICAL_DENSITY, HUBBLE, N_SLABS, PARAMETERS
from multifield.maps.transforms import deposit_slabs

OMEGA_B = 0.049  # baryon density in all of CMD; arXiv:2010.00619
SPECTRAL_INDEX = 0.9624  # n_s in all of CMD; the same
CMB_TEMPERATURE = 2.7255  # [K]; Fixsen 2009, arXiv:0911.1955
SIGMA_RADIUS = 8.0  # [Mpc/h], of sigma_8
GROWTH_INDEX = 0.55  # f = Omega_m(z)^0.55; Linder 2005, astro-ph/0507263
COLLAPSE_SCALE = 0.5  # [Mpc/h], Gaussian; below it matter moves by spherical collapse. 4 to 5 in
# the paper, with second order. Chosen between looks and information: the R2 of sigma_8 by o3_err on
# 64-pixel maps (18 epochs of 240 simulations) is 0.93 without collapse, 0.83 at 0.5, 0.79 at 1
COLLAPSE_CONTRAST = 1.5  # linear contrast of a sphere that has just collapsed; Neyrinck 2013
DIFFUSE_FRACTION = 0.01  # of the matter, spread evenly: the emptiest Mtot pixel of CMD's
# IllustrisTNG LH has 4.665e9 / 4.163e11 = 0.011 of the mean, and none is empty
SLAB_THICKNESS = BOX_SIZE / N_SLABS  # [Mpc/h]
THETA_DECIMALS = 5  # as CMD's tables have; the rounded values are the ones simulated

INITIAL_CONDITIONS, GAS_SCATTER, HYPERCUBE = range(3)  # streams of random numbers
N_STREAMS = 3

_K_SIGMA = np.geomspace(1e-4, 20.0, 4000)  # [h/Mpc]; sigma_8 to 1e-5

Lattice = Float32[np.ndarray, "n n n"]
LatticeModes = Complex64[np.ndarray, "n n half"]
LatticeVector = Float32[np.ndarray, "3 n n n"]


@dataclass(frozen=True)
class Universe:
    """The matter of one simulation, projected.

    Attributes
    ----------
    Omega_m : float
        Matter density today over the critical density.
    density : (15, L, L) float32
        Surface density over its cosmic mean: the mean over the five slabs of an axis is 1.
    speed : (15, L, L) float32
        Mass-weighted mean modulus of the velocity, [km/s].
    """

    Omega_m: float
    density: Maps
    speed: Maps


def random_generator(
    seed: int, simulation: int, stream: int, hypercube: int = 0
) -> np.random.Generator:
    """Numbers for one purpose in one simulation of one latin hypercube, whatever else is simulated.

    Stream 0 of hypercube 0 is ``np.random.default_rng([seed, simulation])``: NumPy pads a seed with zeros.
    """
    return np.random.default_rng([seed, simulation, stream + N_STREAMS * hypercube])


def sample_theta(n_simulations: int, seed: int, hypercube: int = 0) -> Theta:
    """Draw parameters from a latin hypercube over the bounds in `camels.PARAMETERS`.

    Parameters
    ----------
    n_simulations : int
        Rows. Another number of rows is another table.
    seed : int
        At least 0.
    hypercube : int, optional
        Another one is another table, with which it shares nothing.

    Returns
    -------
    theta : (S, 6) float64
        Columns in CMD's order, rounded to 5 decimals, so that a text file holds them exactly.
    """
    sampler = qmc.LatinHypercube(
        len(PARAMETERS), rng=random_generator(seed, 0, HYPERCUBE, hypercube)
    )
    theta = qmc.scale(
        sampler.random(n_simulations),
        [parameter.minimum for parameter in PARAMETERS],
        [parameter.maximum for parameter in PARAMETERS],
    )
    return np.round(theta, THETA_DECIMALS)


def mean_surface_density(Omega: float) -> float:
    """Of a component with density parameter `Omega` in a slab, [(M_sun/h)/(Mpc/h)^2]."""
    return Omega * CRITICAL_DENSITY * SLAB_THICKNESS


# ---- the linear field ----


def linear_power(
    k: Float64[np.ndarray, " K"], Omega_m: float, sigma_8: float
) -> Float64[np.ndarray, " K"]:
    """Linear matter power spectrum today, flat LCDM, normalized to `sigma_8`.

    Parameters
    ----------
    k : (K,) float64
        Wave numbers in [h/Mpc], > 0.
    Omega_m, sigma_8 : float
        Cosmology; the other parameters are CMD's.

    Returns
    -------
    P_k : (K,) float64
        In [(Mpc/h)^3].

    Notes
    -----
    The transfer function is Eisenstein and Hu 1998 from colossus; it is a plain function, and
    colossus' global current cosmology and its cache in the home folder stay out of it. The
    normalization is ours: colossus' own, exact one takes 60 ms, as long as the deposit of a simulation.
    """
    shape = _unnormalized_power(_K_SIGMA, Omega_m)
    x = SIGMA_RADIUS * _K_SIGMA
    window = 3.0 * (np.sin(x) - x * np.cos(x)) / x**3  # top hat
    variance = np.trapezoid(_K_SIGMA**3 * shape * window**2, np.log(_K_SIGMA)) / (2.0 * np.pi**2)
    P_k: Float64[np.ndarray, " K"] = sigma_8**2 / variance * _unnormalized_power(k, Omega_m)
    return P_k


def _unnormalized_power(k: Float64[np.ndarray, " K"], Omega_m: float) -> Float64[np.ndarray, " K"]:
    transfer = modelEisenstein98(k, HUBBLE, Omega_m, OMEGA_B, CMB_TEMPERATURE)
    power: Float64[np.ndarray, " K"] = k**SPECTRAL_INDEX * transfer**2
    return power


def linear_field(
    n: int, Omega_m: float, sigma_8: float, generator: np.random.Generator
) -> LatticeModes:
    """Modes of the density contrast, extrapolated linearly to today.

    Parameters
    ----------
    n : int
        Lattice points per side of the box.
    Omega_m, sigma_8 : float
        Cosmology.
    generator : numpy.random.Generator
        Gives the phases: the same state gives the same structures in another cosmology.

    Returns
    -------
    modes : (n, n, n // 2 + 1) complex64
        ``scipy.fft.rfftn`` of the field.
    """
    squared, _ = _modes(n)
    k = 2.0 * np.pi / BOX_SIZE * np.sqrt(np.arange(1, squared.max() + 1))  # [h/Mpc]
    cell_volume = (BOX_SIZE / n) ** 3  # [(Mpc/h)^3]
    amplitude = np.sqrt(linear_power(k, Omega_m, sigma_8) / cell_volume)
    # white noise has n^3 of power in each mode; the mean contrast is 0
    table = np.concatenate([[0.0], amplitude]).astype(np.float32)
    white = generator.standard_normal((n, n, n), dtype=np.float32)
    modes: LatticeModes = scipy.fft.rfftn(white) * table[squared]
    return modes


@lru_cache(maxsize=2)
def _modes(
    n: int,
) -> tuple[Int32[np.ndarray, "n n half"], tuple[Float32[np.ndarray, "..."], ...]]:
    """Squared wave number and its components for ``rfftn``, in units of 2 pi / box."""
    full = scipy.fft.fftfreq(n, 1.0 / n)
    half = scipy.fft.rfftfreq(n, 1.0 / n)
    components = np.meshgrid(full, full, half, indexing="ij", sparse=True)
    squared = sum(component**2 for component in components)
    return np.asarray(squared, np.int32), tuple(
        component.astype(np.float32) for component in components
    )


# ---- displacement ----


def displace(modes: LatticeModes) -> LatticeVector:
    """Displacement of matter from the lattice, in units of the side of the box.

    psi = K psi_zeldovich + (1 - K) psi_spherical, where K is a Gaussian of `COLLAPSE_SCALE`,
    div psi_zeldovich = -delta and psi has no curl.

    Parameters
    ----------
    modes : (n, n, n // 2 + 1) complex64
        Of the linear density contrast, see `linear_field`.

    Returns
    -------
    displacement : (3, n, n, n) float32
    """
    n = modes.shape[0]
    squared, _ = _modes(n)
    width = 2.0 * np.pi * COLLAPSE_SCALE / BOX_SIZE
    kernel = np.exp(-0.5 * width**2 * np.arange(squared.max() + 1)).astype(np.float32)[squared]
    contrast = scipy.fft.irfftn(modes, s=(n, n, n))
    collapsed = scipy.fft.rfftn(_collapse(contrast))
    return _inverse_divergence(kernel * (modes - collapsed) + collapsed)


def _collapse(contrast: Lattice) -> Lattice:
    """-div psi of spherical collapse: 3 - 3 sqrt(1 - 2/3 delta), and 3, a point, once collapsed."""
    remaining = np.maximum(np.float32(1.0) - contrast / np.float32(COLLAPSE_CONTRAST), 0.0)
    return np.float32(3.0) - np.float32(3.0) * np.sqrt(remaining)


def _inverse_divergence(convergence: LatticeModes) -> LatticeVector:
    """Curl-free psi with -div psi = `convergence`: psi_k = i k / k^2 convergence_k."""
    n = convergence.shape[0]
    squared, components = _modes(n)
    potential = convergence / (np.float32(2.0 * np.pi) * np.maximum(squared, 1).astype(np.float32))
    displacement = np.empty((3, n, n, n), np.float32)
    for psi, component in zip(displacement, components, strict=True):
        # an odd function has no mode at the Nyquist frequency of an even lattice
        odd = np.where(np.abs(component) == n // 2, np.float32(0.0), component)
        psi[:] = scipy.fft.irfftn(np.complex64(1j) * odd * potential, s=(n, n, n))
    return displacement


# ---- maps ----


def make_universe(
    Omega_m: float,
    sigma_8: float,
    *,
    map_size: int,
    lattice: int,
    refine: int,
    generator: np.random.Generator,
) -> Universe:
    """Simulate the matter of one universe and project it.

    Parameters
    ----------
    Omega_m, sigma_8 : float
        Cosmology.
    map_size : int
        Pixels per side of a map, L.
    lattice : int
        Points per side of the initial conditions.
    refine : int
        Mass elements a lattice point, along each axis.
    generator : numpy.random.Generator
        Of the initial conditions.

    Returns
    -------
    universe : Universe
        15 maps, ordered axis * 5 + slab; density > 0 everywhere.
    """
    displacement = displace(linear_field(lattice, Omega_m, sigma_8, generator))
    modulus = np.sqrt(np.einsum("i...,i...->...", displacement, displacement))
    mass, psi = deposit_slabs(displacement, modulus, map_size, refine)
    density = (1.0 - DIFFUSE_FRACTION) * mass + DIFFUSE_FRACTION
    return Universe(Omega_m, density, _speed(mass, psi, Omega_m))


def _speed(mass: Maps, psi: Maps, Omega_m: float) -> Maps:
    """Speed [km/s] of the linear velocity v = a H f psi; the diffuse matter has the mean speed."""
    growth_rate = Omega_m**GROWTH_INDEX
    to_speed = 100.0 * growth_rate * BOX_SIZE  # H_0 is 100 km/s/(Mpc/h)
    mean = float(np.mean(mass * psi, dtype=np.float64))
    momentum = (1.0 - DIFFUSE_FRACTION) * mass * psi + DIFFUSE_FRACTION * mean
    density = (1.0 - DIFFUSE_FRACTION) * mass + DIFFUSE_FRACTION
    speed: Maps = to_speed * momentum / density
    return speed


def total_matter(universe: Universe) -> Maps:
    """Surface density of all matter, (15, L, L), [(M_sun/h)/(Mpc/h)^2]."""
    return universe.density * np.float32(mean_surface_density(universe.Omega_m))
