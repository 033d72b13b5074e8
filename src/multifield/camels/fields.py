"""Maps of the CAMELS Multifield Dataset: geometry, fields, units, transforms.

References
----------
CMD documentation, data.rst (its units; Table 1 of arXiv:2109.10915 has wrong ones for ne and P).
"""

from dataclasses import dataclass
from typing import Literal

HUBBLE = 0.67  # reduced Hubble constant h in all of CMD; data.rst
BOX_SIZE = 25.0  # [Mpc/h], side of a simulation and of a map; data.rst
N_SLABS = 5  # slabs of BOX_SIZE / 5 = 5 Mpc/h along each axis; data.rst
N_AXES = 3
MAPS_PER_SIMULATION = N_AXES * N_SLABS  # map = 15 * simulation + axis * 5 + slab
MAP_SIZE = 256  # [pixels], side of a published map; data.rst
REDSHIFT_LABEL = "z=0.00"
CRITICAL_DENSITY = 2.77536627e11  # [(M_sun/h)/(Mpc/h)^3] today; 3 (100 km/s/Mpc)^2 / (8 pi G)

Transform = Literal["log10", "log10(1+x)"]


@dataclass(frozen=True)
class Field:
    """One physical quantity that is mapped."""

    name: str
    unit: str
    quantity: str
    transform: Transform = "log10"


_SURFACE_DENSITY = "(M_sun/h)/(Mpc/h)^2"
FIELDS = {
    field.name: field
    for field in (
        Field("Mgas", _SURFACE_DENSITY, "gas surface density"),
        Field("Vgas", "km/s", "gas velocity"),
        Field("T", "K", "gas temperature"),
        Field("P", "h^2 M_sun (km/s)^2/kpc^3", "gas pressure"),
        Field("Z", "dimensionless", "gas metallicity"),
        Field("HI", _SURFACE_DENSITY, "neutral hydrogen surface density"),
        Field("ne", "h^2 cm^-3 (Mpc/h)", "electron column density"),
        Field("B", "Gauss", "magnetic field strength"),
        Field("MgFe", "dimensionless", "magnesium over iron"),
        Field("Mcdm", _SURFACE_DENSITY, "cold dark matter surface density"),
        Field("Vcdm", "km/s", "cold dark matter velocity"),
        Field("Mstar", _SURFACE_DENSITY, "stellar surface density", transform="log10(1+x)"),
        Field("Mtot", _SURFACE_DENSITY, "total matter surface density"),
    )
}
"""The 13 fields in CMD's order. Mstar alone has true zeros, hence its transform."""
