"""Strengths and shapes of the gas of each mock suite; `gas` has the formulas.

The suites differ as CMD's do, in what their authors chose and cannot know: how gas leaves a galaxy and how
far it goes, how hot it arrives, how many metals there are. Nothing of it is fitted to IllustrisTNG, SIMBA
or Astrid; what is borrowed is the direction, such as the far and hot jets of SIMBA.
"""

from dataclasses import dataclass, replace
from typing import Literal

Saturation = Literal["rational", "exponential"]
"""How a process sets in with depth x, half of it at x = 1; see `gas.SATURATIONS`."""


@dataclass(frozen=True, kw_only=True)
class GasModel:
    """Strengths and shapes of one suite.

    A density is a surface density over its cosmic mean, a depth that of matter times Omega_m / 0.3.

    None comes from a fit: they are chosen to give CMD's orders of magnitude at 256 pixels.
    """

    saturation: Saturation  # of everything that sets in with depth

    # stars
    star_threshold: float  # depth below which there are none: most of the area
    star_fraction: float  # of the baryons far above it, at A = 1, before quenching
    star_sn1: float  # stars ~ A_SN1^-star_sn1
    star_sn2: float  # stars ~ A_SN2^-star_sn2
    star_agn: float  # quenched by 1 + star_agn A_AGN1 in groups

    # winds of supernovae, from galaxies
    galaxy_depth: float  # where half of the loading is reached
    galaxy_slope: float
    sn_loading: float  # optical depth of ejection at A = 1
    sn_energy: float  # loading ~ A_SN2^-sn_energy; 2 if the energy is given
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
    agn_tail: float  # share of the mass in jets that goes on
    agn_tail_reach: float  # to so many times their distance

    # heat
    photo_temperature: float  # [K] at the mean density, photoionized
    photo_slope: float  # T ~ density^photo_slope; Hui and Gnedin 1997, astro-ph/9612232
    shock_length: float  # [Mpc/h], of the wells in which gas is shock heated
    shock_depth: float  # where half of the gas is shocked
    shock_slope: float
    thermalized: float  # share of the energy of winds that is heat where they arrive
    kinetic: float  # share that is motion there

    # metals
    metal_yield: float  # mass of metals a mass of stars
    metal_floor: float  # Z of gas that no wind reaches
    mgfe_floor: float  # Mg/Fe there
    mgfe_galaxy: float  # of metals that stay
    mgfe_sn: float  # of metals in supernova winds: prompt, rich in magnesium
    mgfe_agn: float  # of metals in jets: late, rich in iron

    # neutral hydrogen
    photo_neutral: float  # n_HI / n_H at mean density and 10^4 K in the ultraviolet background
    shield_density: float  # gas density where half of the gas that stayed shields itself
    shield_neutral: float  # neutral fraction of gas that does

    # magnetic field
    seed_field: float  # [Gauss] at the mean density, grows by compression as density^(2/3)
    dynamo: float  # magnetic over thermal pressure in stirred gas

    # scatter
    scatter_length: float  # [Mpc/h], Gaussian; a pixel of a 64-pixel map
    scatter_loading: float  # [dex] of either loading, independent
    scatter_stars: float  # [dex]
    scatter_temperature: float  # [dex]
    scatter_ionization: float  # [dex] of neutral hydrogen and of B
    scatter_velocity: float  # [dex] of gas against dark matter


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
    # winds that are loaded by mass, and go no further when they are faster
    sn_loading=0.25,
    sn_energy=0.4,
    sn_distance=0.5,
    sn_reach=0.4,
    sn_speed=400.0,
    # jets from smaller groups; a third goes far, and all is hot
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
    # hydrogen that shields itself sooner, and is molecular where it is dense
    photo_neutral=2.5e-6,
    shield_density=3.5,
    shield_neutral=0.15,
)
"""Gas that leaves later and goes further: held against `MOCK_TNG`, hotter, richer in metals."""

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
    # black holes that are rare and gentle
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
"""The third suite, which methods of robustness are not chosen by: neither between the two nor beyond them."""
