"""Baryons of the mock suites, painted on the matter of a universe.

The model is a sketch of a hydrodynamic simulation. Stars form in dense regions. Supernovae and
black holes blow gas and metals out to a distance, where the gas arrives hot. Each quantity is a
surface density, or a mean along the line of sight weighted by gas mass. Each feedback parameter
has its own effect:

======= ==================================== =============================================
A_SN1   energy of supernovae                 more gas leaves galaxies, fewer stars form
A_SN2   speed of their winds                 less mass (at fixed energy), further, hotter
A_AGN1  energy of black holes                more gas leaves groups, their stars are fewer
A_AGN2  speed of their jets                  further and hotter, at the same mass
======= ==================================== =============================================

Each suite has a `gas_models.GasModel` with its strengths and shapes. It also selects the
saturation law and whether jets have a tail that reaches further.

References
----------
arXiv:2010.00619: meaning of the four parameters in IllustrisTNG.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import constants

from multifield.camels import HUBBLE
from multifield.core.arrays import Maps
from multifield.maps.transforms import gaussian_smooth
from multifield.mock.gas_models import GasModel, Saturation
from multifield.mock.universe import OMEGA_B, SLAB_THICKNESS, Universe, mean_surface_density

HYDROGEN_FRACTION = 0.76  # X, by mass, primordial
MEAN_MOLECULAR_WEIGHT = 0.59  # mu of ionized primordial gas, [proton masses]
ELECTRONS_PER_PROTON_MASS = 0.88  # (1 + X) / 2, fully ionized
SOLAR_MASS = 1.98841e30  # [kg]; IAU 2015 G M_sun over CODATA's G
BOLTZMANN_OVER_PROTON = 1e-6 * constants.k / constants.m_p  # [(km/s)^2 / K]
SOUND_SPEED_SQUARED = BOLTZMANN_OVER_PROTON / MEAN_MOLECULAR_WEIGHT  # P / (rho T), [(km/s)^2 / K]
_MPC = 1e6 * constants.parsec  # [m]
PROTONS_PER_CM3 = SOLAR_MASS / constants.m_p / _MPC**3 * 1e-6  # 1 M_sun / Mpc^3 in [cm^-3]
ERG_PER_CM3 = (
    SOLAR_MASS * 1e6 / (1e-3 * _MPC) ** 3 * 10.0
)  # 1 M_sun (km/s)^2 / kpc^3 in [erg cm^-3]
KPC3_PER_MPC3 = 1e9
FIDUCIAL_OMEGA_M = 0.3  # CMD's CV set; data.rst
# T_0 ~ (Omega_b h / sqrt(Omega_m))^(1/1.7); Hui and Gnedin 1997, astro-ph/9612232
PHOTO_OMEGA_M, PHOTO_OMEGA_B_H = -0.29, 1 / 1.7


@dataclass(frozen=True, kw_only=True)
class Feedback:
    """The four astrophysical parameters; 1 in the fiducial simulation."""

    A_SN1: float
    A_AGN1: float
    A_SN2: float
    A_AGN2: float


@dataclass(frozen=True, kw_only=True)
class _Baryons:
    """Baryons and metals by location, in units of the mean surface density of matter."""

    stars: Maps
    stayed: Maps  # gas that is not ejected
    sn_wind: Maps
    agn_wind: Maps
    metals_stayed: Maps
    metals_sn: Maps
    metals_agn: Maps

    @property
    def gas(self) -> Maps:
        gas: Maps = self.stayed + self.sn_wind + self.agn_wind
        return gas


class _Scatter:
    """Draws log-normal factors that are smooth over `scatter_length`, from one generator."""

    def __init__(self, n_pixels: int, width: float, generator: np.random.Generator) -> None:
        self._generator, self._width = generator, width
        impulse = np.zeros((1, n_pixels, n_pixels), np.float32)
        impulse[0, 0, 0] = 1.0
        # the variance of smoothed white noise is the sum of the kernel's squares
        self._noise = float(np.sqrt(np.sum(gaussian_smooth(impulse, width) ** 2)))

    def draw(self, like: Maps, dex: float) -> Maps:
        """Draw factors in the shape of `like`, whose log10 has mean 0 and std `dex`."""
        white = self._generator.standard_normal(like.shape, dtype=np.float32)
        exponent = gaussian_smooth(white, self._width) * np.float32(dex * np.log(10) / self._noise)
        return np.exp(exponent)


def paint_fields(
    universe: Universe, feedback: Feedback, model: GasModel, generator: np.random.Generator
) -> dict[str, Maps]:
    """Paint all 13 fields of one simulation.

    Parameters
    ----------
    universe : Universe
        Density and speed of matter.
    feedback : Feedback
        Astrophysical parameters.
    model : GasModel
        Gas model of the suite.
    generator : numpy.random.Generator
        Random generator of the scatter.

    Returns
    -------
    fields : dict of (N, L, L) float32
        Maps of each field in the units of `camels.FIELDS`. Only Mstar can be 0; other fields are >
        0. Mtot is the sum of Mgas, Mcdm and Mstar. Winds conserve mass, so its mean is the cosmic
        mean.
    """
    n_pixels = universe.density.shape[1]
    pixels = n_pixels / universe.background.box  # [pixels/(Mpc/h)]
    scatter = _Scatter(n_pixels, model.scatter_length * pixels, generator)
    baryons = _move_baryons(universe, feedback, model, scatter, pixels)
    shocked = _shocked_fraction(universe, model, pixels)
    temperature = _temperature(universe, baryons, shocked, feedback, model)
    temperature = temperature * scatter.draw(temperature, model.scatter_temperature)
    return (
        _masses(universe, baryons)
        | _velocities(universe, baryons, feedback, model, scatter)
        | _metallicity(baryons, model)
        | _thermal_state(universe, baryons, temperature, shocked, model, scatter)
    )


# ---- stars and winds ----


def _depth(universe: Universe) -> Maps:
    """Compute density in absolute terms: v^2 ~ Omega_m times density in wells of one size."""
    return universe.density * np.float32(universe.Omega_m / FIDUCIAL_OMEGA_M)


def _move_baryons(
    universe: Universe, feedback: Feedback, model: GasModel, scatter: _Scatter, pixels: float
) -> _Baryons:
    """Form stars, eject gas and metals, and spread them over their distance."""
    depth = _depth(universe)
    baryons = universe.density * np.float32(universe.baryon_fraction)
    stars = baryons * _star_fraction(depth, feedback, model, scatter)
    from_galaxies, from_groups = _ejected_fractions(depth, feedback, model, scatter)
    gas, metals = baryons - stars, model.metal_yield * stars
    sn_width = model.sn_distance * feedback.A_SN2**model.sn_reach * pixels
    agn_width = model.agn_distance * feedback.A_AGN2**model.agn_reach * pixels
    return _Baryons(
        stars=stars,
        stayed=gas * (1.0 - from_galaxies) * (1.0 - from_groups),
        sn_wind=gaussian_smooth(gas * from_galaxies, sn_width),
        agn_wind=_spread_jets(gas * (1.0 - from_galaxies) * from_groups, agn_width, model),
        metals_stayed=metals * (1.0 - from_galaxies) * (1.0 - from_groups),
        metals_sn=gaussian_smooth(metals * from_galaxies, sn_width),
        metals_agn=_spread_jets(metals * (1.0 - from_galaxies) * from_groups, agn_width, model),
    )


def _spread_jets(mass: Maps, width: float, model: GasModel) -> Maps:
    """Spread jets over their distance, and their tail beyond it; the mass is conserved."""
    near = gaussian_smooth(mass, width)
    if model.agn_tail == 0:
        return near
    far = gaussian_smooth(mass, width * model.agn_tail_reach)
    spread: Maps = near * (1.0 - model.agn_tail) + far * model.agn_tail
    return spread


def _star_fraction(depth: Maps, feedback: Feedback, model: GasModel, scatter: _Scatter) -> Maps:
    """Compute the fraction of baryons in stars; 0 where the scattered depth is too low."""
    clumped = depth * scatter.draw(depth, model.scatter_stars)
    above = np.maximum(1.0 - model.star_threshold / clumped, 0.0)
    supernovae = feedback.A_SN1**-model.star_sn1 * feedback.A_SN2**-model.star_sn2
    groups = _saturation(depth, model.group_depth, model.group_slope, model.saturation)
    quenching = 1.0 + model.star_agn * feedback.A_AGN1 * groups
    fraction: Maps = 1.0 - np.exp(-model.star_fraction * supernovae * above / quenching)
    return fraction


def _ejected_fractions(
    depth: Maps, feedback: Feedback, model: GasModel, scatter: _Scatter
) -> tuple[Maps, Maps]:
    """Compute gas fractions that supernovae eject from galaxies and black holes from groups."""
    sn = model.sn_loading * feedback.A_SN1 * feedback.A_SN2**-model.sn_energy
    agn = model.agn_loading * feedback.A_AGN1
    galaxies = _saturation(depth, model.galaxy_depth, model.galaxy_slope, model.saturation)
    groups = _saturation(depth, model.group_depth, model.group_slope, model.saturation)
    sn_loading = sn * scatter.draw(depth, model.scatter_loading)
    agn_loading = agn * scatter.draw(depth, model.scatter_loading)
    return galaxies * (1.0 - np.exp(-sn_loading)), groups * (1.0 - np.exp(-agn_loading))


def _saturation(depth: Maps, half: float, slope: float, law: Saturation) -> Maps:
    """Rise from 0 in voids to 1 in deep wells, 1/2 at `half`; see `SATURATIONS`."""
    power = (depth / np.float32(half)) ** np.float32(slope)
    return SATURATIONS[law](power)


def _rational(power: Maps) -> Maps:
    saturated: Maps = power / (np.float32(1.0) + power)
    return saturated


def _exponential(power: Maps) -> Maps:
    saturated: Maps = -np.expm1(-np.float32(np.log(2.0)) * power)
    return saturated


SATURATIONS: dict[Saturation, Callable[[Maps], Maps]] = {
    "rational": _rational,  # y / (1 + y), y = (depth / half)^slope: rises early, never reaches 1
    "exponential": _exponential,  # 1 - 2^-y: close to 1 soon after `half`
}


# ---- heat ----


def _shocked_fraction(universe: Universe, model: GasModel, pixels: float) -> Maps:
    wells = gaussian_smooth(_depth(universe), model.shock_length * pixels)
    return _saturation(wells, model.shock_depth, model.shock_slope, model.saturation)


def _temperature(
    universe: Universe, baryons: _Baryons, shocked: Maps, feedback: Feedback, model: GasModel
) -> Maps:
    """Average the temperature of gas at rest, supernova winds and jets, weighted by mass, [K]."""
    gas = baryons.gas
    overdensity = gas / np.float32(universe.baryon_fraction)
    background = universe.background
    late = (universe.Omega_m / FIDUCIAL_OMEGA_M) ** PHOTO_OMEGA_M
    late *= (background.Omega_b * background.h / (OMEGA_B * HUBBLE)) ** PHOTO_OMEGA_B_H
    photoionized = model.photo_temperature * late * overdensity**model.photo_slope
    # a well of 1 Mpc/h has v^2 = (3/2) Omega_m (H_0 R)^2 density, and k T = mu m_p v^2 / 2
    virial = (0.75 * FIDUCIAL_OMEGA_M * 100.0**2 / SOUND_SPEED_SQUARED) * _depth(universe)  # [K]
    sn = _wind_temperature(model.sn_speed * feedback.A_SN2, model.thermalized)
    agn = _wind_temperature(model.agn_speed * feedback.A_AGN2, model.thermalized)
    heat = baryons.stayed * shocked * virial + baryons.sn_wind * sn + baryons.agn_wind * agn
    temperature: Maps = photoionized + heat / gas
    return temperature


def _wind_temperature(speed: float, thermalized: float) -> float:
    """Temperature if a share of the kinetic energy becomes heat: k T = mu m_p v^2 / 3, [K]."""
    return thermalized * speed**2 / (3.0 * SOUND_SPEED_SQUARED)


# ---- fields ----


def _masses(universe: Universe, baryons: _Baryons) -> dict[str, Maps]:
    """Compute surface densities, [(M_sun/h)/(Mpc/h)^2]."""
    unit = np.float32(mean_surface_density(universe.Omega_m))
    cdm = universe.density * np.float32(1.0 - universe.baryon_fraction)
    return {
        "Mgas": unit * baryons.gas,
        "Mcdm": unit * cdm,
        "Mstar": unit * baryons.stars,
        "Mtot": unit * (baryons.gas + cdm + baryons.stars),
    }


def _velocities(
    universe: Universe, baryons: _Baryons, feedback: Feedback, model: GasModel, scatter: _Scatter
) -> dict[str, Maps]:
    """Compute speeds, [km/s]: gas follows the dark matter and winds add in quadrature."""
    flow = universe.speed * scatter.draw(universe.speed, model.scatter_velocity)
    sn = model.kinetic * (model.sn_speed * feedback.A_SN2) ** 2
    agn = model.kinetic * (model.agn_speed * feedback.A_AGN2) ** 2
    winds = (baryons.sn_wind * sn + baryons.agn_wind * agn) / baryons.gas
    return {"Vgas": np.sqrt(flow**2 + winds), "Vcdm": universe.speed}


def _metallicity(baryons: _Baryons, model: GasModel) -> dict[str, Maps]:
    """Compute metals over gas, and magnesium over iron averaged over the sources of metals."""
    pristine = model.metal_floor * baryons.gas
    metals = pristine + baryons.metals_stayed + baryons.metals_sn + baryons.metals_agn
    magnesium = (
        model.mgfe_floor * pristine
        + model.mgfe_galaxy * baryons.metals_stayed
        + model.mgfe_sn * baryons.metals_sn
        + model.mgfe_agn * baryons.metals_agn
    )
    return {"Z": metals / baryons.gas, "MgFe": magnesium / metals}


def _thermal_state(
    universe: Universe,
    baryons: _Baryons,
    temperature: Maps,
    shocked: Maps,
    model: GasModel,
    scatter: _Scatter,
) -> dict[str, Maps]:
    """Compute T [K], P [h^2 M_sun (km/s)^2/kpc^3], HI, ne [h^2 cm^-3 (Mpc/h)] and B [Gauss]."""
    gas = baryons.gas * np.float32(mean_surface_density(universe.Omega_m))
    pressure = gas / (SLAB_THICKNESS * KPC3_PER_MPC3) * temperature * SOUND_SPEED_SQUARED
    neutral = _neutral_fraction(universe, baryons, temperature, model, scatter)
    return {
        "T": temperature,
        "P": pressure,
        "HI": HYDROGEN_FRACTION * neutral * gas,
        "ne": ELECTRONS_PER_PROTON_MASS * PROTONS_PER_CM3 * (1.0 - neutral) * gas,
        "B": _magnetic_field(universe, baryons, pressure, shocked, model, scatter),
    }


def _neutral_fraction(
    universe: Universe, baryons: _Baryons, temperature: Maps, model: GasModel, scatter: _Scatter
) -> Maps:
    """Photoionization equilibrium, n_HI / n_H ~ density T^-0.7, plus self-shielded gas."""
    overdensity = baryons.gas / np.float32(universe.baryon_fraction)
    background = universe.background
    mean_density = background.Omega_b * background.h**2 / (OMEGA_B * HUBBLE**2)
    thin = model.photo_neutral * mean_density * overdensity * (temperature / 1.0e4) ** -0.7
    cold = baryons.stayed / baryons.gas
    shielded = (
        model.shield_neutral
        * cold
        * _saturation(overdensity, model.shield_density, 3.0, model.saturation)
    )
    ratio = (thin + shielded) * scatter.draw(thin, model.scatter_ionization)
    fraction: Maps = ratio / (1.0 + ratio)
    return fraction


def _magnetic_field(
    universe: Universe,
    baryons: _Baryons,
    pressure: Maps,
    shocked: Maps,
    model: GasModel,
    scatter: _Scatter,
) -> Maps:
    """Add a compressed seed field and a dynamo in stirred gas, B^2 / (8 pi) ~ P, in [Gauss]."""
    overdensity = baryons.gas / np.float32(universe.baryon_fraction)
    compressed = model.seed_field * overdensity ** (2.0 / 3.0)
    stirred = shocked + (baryons.sn_wind + baryons.agn_wind) / baryons.gas
    energy = (
        model.dynamo * stirred**2 * pressure * np.float32(ERG_PER_CM3 * universe.background.h**2)
    )
    field: Maps = np.hypot(compressed, np.sqrt(8.0 * np.pi * energy))
    field *= scatter.draw(field, model.scatter_ionization)
    return field
