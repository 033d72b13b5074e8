"""Strengths and shapes of the gas of each mock suite; `gas` has the formulas.

The suites differ in the same respects as CMD's: how much gas leaves a galaxy, how far it moves,
how hot it arrives, how many metals form. Nothing is fitted to IllustrisTNG, SIMBA or Astrid. Only
the direction of a difference is borrowed, such as the far and hot jets of SIMBA.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

Saturation = Literal["rational", "exponential"]
"""Law by which a process rises with depth x, with 1/2 at x = 1; see `gas.SATURATIONS`."""


@dataclass(frozen=True, kw_only=True)
class GasModel:
    """Strengths and shapes of one suite.

    A density is a surface density over its cosmic mean. A depth is the density of matter times
    Omega_m / 0.3. No value comes from a fit; all give CMD's orders of magnitude at 256 pixels.
    """

    saturation: Saturation  # law of every process that rises with depth

    # stars
    star_threshold: float  # depth below which no stars form: most of the area
    star_fraction: float  # share of baryons far above the threshold, at A = 1, before quenching
    star_sn1: float  # stars ~ A_SN1^-star_sn1
    star_sn2: float  # stars ~ A_SN2^-star_sn2
    star_agn: float  # quenched by 1 + star_agn A_AGN1 in groups

    # winds of supernovae, from galaxies
    galaxy_depth: float  # depth at which the loading is half its maximum
    galaxy_slope: float
    sn_loading: float  # optical depth of ejection at A = 1
    sn_energy: float  # loading ~ A_SN2^-sn_energy; 2 at fixed energy
    sn_distance: float  # [Mpc/h] at A_SN2 = 1
    sn_reach: float  # distance ~ A_SN2^sn_reach
    sn_speed: float  # [km/s] at A_SN2 = 1

    # jets of black holes, from groups
    group_depth: float
    group_slope: float
    agn_loading: float
    agn_distance: float  # [Mpc/h] at A_AGN2 = 1
    agn_reach: float  # distance ~ A_AGN2^agn_reach
    agn_speed: float  # [km/s] at A_AGN2 = 1
    agn_tail: float  # share of the jets' mass in their tail
    agn_tail_reach: float  # distance of the tail over that of the jets

    # heat
    photo_temperature: float  # [K] at the mean density, photoionized
    photo_slope: float  # T ~ density^photo_slope; Hui and Gnedin 1997, astro-ph/9612232
    shock_length: float  # [Mpc/h], size of the wells in which gas is shock heated
    shock_depth: float  # depth at which half of the gas is shocked
    shock_slope: float
    thermalized: float  # share of the winds' energy that becomes heat
    kinetic: float  # share of the winds' energy that remains motion

    # metals
    metal_yield: float  # mass of metals per mass of stars
    metal_floor: float  # Z of gas that no wind reaches
    mgfe_floor: float  # Mg/Fe of gas that no wind reaches
    mgfe_galaxy: float  # Mg/Fe of metals that stay
    mgfe_sn: float  # Mg/Fe of supernova winds: prompt, rich in magnesium
    mgfe_agn: float  # Mg/Fe of jets: late, rich in iron

    # neutral hydrogen
    photo_neutral: float  # n_HI / n_H at mean density and 10^4 K in the ultraviolet background
    shield_density: float  # gas density at which half of the gas at rest shields itself
    shield_neutral: float  # neutral fraction of self-shielded gas

    # magnetic field
    seed_field: float  # [Gauss] at the mean density; grows by compression as density^(2/3)
    dynamo: float  # magnetic over thermal pressure in stirred gas

    # scatter
    scatter_length: float  # [Mpc/h], Gaussian; one pixel of a 64-pixel map
    scatter_loading: float  # [dex] of each loading, independent
    scatter_stars: float  # [dex]
    scatter_temperature: float  # [dex]
    scatter_ionization: float  # [dex] of HI and B
    scatter_velocity: float  # [dex] of gas relative to dark matter


MOCK_TNG = GasModel(
    saturation="rational",
    star_threshold=2.0,
    star_fraction=0.12,
    star_sn1=0.35,
    star_sn2=0.6,
    star_agn=0.4,
    galaxy_depth=2.0,
    galaxy_slope=2.0,
    sn_loading=0.5,
    sn_energy=1.0,
    sn_distance=0.8,
    sn_reach=1.0,
    sn_speed=250.0,
    group_depth=5.0,
    group_slope=2.0,
    agn_loading=0.7,
    agn_distance=1.2,
    agn_reach=0.5,
    agn_speed=800.0,
    agn_tail=0.0,
    agn_tail_reach=1.0,
    photo_temperature=5.0e3,
    photo_slope=0.6,
    shock_length=0.2,
    shock_depth=4.0,
    shock_slope=2.0,
    thermalized=0.03,
    kinetic=0.1,
    metal_yield=0.03,
    metal_floor=1.0e-5,
    mgfe_floor=1.0,
    mgfe_galaxy=0.8,
    mgfe_sn=1.2,
    mgfe_agn=0.6,
    photo_neutral=1.6e-6,
    shield_density=6.0,
    shield_neutral=0.3,
    seed_field=1.0e-12,
    dynamo=0.05,
    scatter_length=0.4,
    scatter_loading=0.2,
    scatter_stars=0.2,
    scatter_temperature=0.1,
    scatter_ionization=0.15,
    scatter_velocity=0.05,
)
"""Gas of MockTNG."""

MOCK_SIMBA = replace(
    MOCK_TNG,
    saturation="exponential",
    # fewer stars in shallow wells, more in deep ones
    star_threshold=2.6,
    star_fraction=0.18,
    star_agn=0.15,
    # winds loaded by mass, whose distance depends little on their speed
    sn_loading=0.25,
    sn_energy=0.4,
    sn_distance=0.5,
    sn_reach=0.4,
    sn_speed=400.0,
    # jets from smaller groups; a third of the mass goes far, and all of it is hot
    group_depth=3.5,
    agn_distance=0.9,
    agn_reach=0.8,
    agn_speed=1600.0,
    agn_tail=0.35,
    agn_tail_reach=3.0,
    thermalized=0.06,
    photo_slope=0.5,
    shock_depth=3.0,
    shock_slope=3.0,
    # metals
    metal_yield=0.045,
    metal_floor=4.0e-5,
    mgfe_sn=1.4,
    mgfe_agn=0.8,
    # hydrogen shields itself at lower density, and is molecular where it is dense
    photo_neutral=2.5e-6,
    shield_density=3.5,
    shield_neutral=0.15,
)
"""Gas leaves deeper wells, moves further, is hotter and richer in metals than in `MOCK_TNG`."""

MOCK_ASTRID = replace(
    MOCK_TNG,
    saturation="exponential",
    star_threshold=1.7,
    star_fraction=0.08,
    star_sn1=0.2,
    # heavy, slow winds that stay near
    galaxy_depth=1.6,
    galaxy_slope=1.5,
    sn_loading=0.8,
    sn_energy=1.4,
    sn_distance=0.6,
    sn_reach=1.3,
    sn_speed=180.0,
    # black holes are rare and gentle
    group_depth=7.0,
    group_slope=3.0,
    agn_loading=0.4,
    agn_reach=0.3,
    agn_speed=1100.0,
    agn_tail=0.15,
    agn_tail_reach=2.0,
    photo_temperature=7.0e3,
    photo_slope=0.55,
    shock_depth=5.0,
    thermalized=0.045,
    metal_yield=0.02,
    metal_floor=2.0e-5,
    mgfe_galaxy=0.9,
    photo_neutral=1.2e-6,
    shield_density=8.0,
    shield_neutral=0.45,
)
"""Third suite, which differs otherwise. Robust methods were chosen without it."""

STRENGTHS = {
    "StarFormationEfficiency": {"star_fraction": 1.0},
    "MetalYield": {"metal_yield": 1.0},
    "ThermalWindFraction": {"thermalized": 1.0},
    "BlackHoleDepth": {"group_depth": 1.0},
    # photoionization equilibrium, and gas that shields itself; Rahmati et al. 2013, arXiv:1210.7808
    "UVBackground": {"photo_neutral": -1.0, "shield_density": 2 / 3},
}
"""Powers with which a parameter multiplies strengths of the model."""


def change_strengths(model: GasModel, values: Mapping[str, float]) -> GasModel:
    """Change the strengths of a model by the parameters of a simulation.

    Parameters
    ----------
    model : GasModel
        Gas model of the suite.
    values : mapping of str to float
        Values of parameters in `STRENGTHS`.

    Returns
    -------
    model : GasModel
        Model of the simulation.
    """
    for parameter, value in values.items():
        powers = STRENGTHS[parameter]
        changes = {name: getattr(model, name) * value**power for name, power in powers.items()}
        model = replace(model, **changes)
    return model
