"""Maps of the CAMELS Multifield Dataset (CMD): geometry, fields, units, transforms.

References
----------
CMD documentation, data.rst. Table 1 of arXiv:2109.10915 has wrong units for ne and P.
"""

from dataclasses import dataclass
from typing import Literal

HUBBLE = 0.67
"""Reduced Hubble constant h in all of CMD (CMD's documentation, data.rst)."""
BOX_SIZE = 25.0
"""Side of a simulation and of a map [Mpc/h] (data.rst)."""
N_SLABS = 5
"""Number of slabs per axis, of 5 Mpc/h each (data.rst)."""
N_AXES = 3
"""Number of axes along which a simulation is projected."""
MAPS_PER_SIMULATION = N_AXES * N_SLABS
"""Number of maps per simulation: map = 15 * simulation + 5 * axis + slab."""
MAP_SIZE = 256
"""Side of a published map [pixels] (data.rst)."""
REDSHIFT_LABEL = "z=0.00"
"""Redshift of the maps, as file names have it."""
CRITICAL_DENSITY = 2.77536627e11
"""Critical density today [(M_sun/h)/(Mpc/h)^3]: 3 (100 km/s/Mpc)^2 / (8 pi G)."""

Transform = Literal["log10", "log10(1+x)"]
"""Logarithm that is taken of a field."""


@dataclass(frozen=True)
class Field:
    """One mapped physical quantity.

    Attributes
    ----------
    name : str
        Name in file names.
    unit : str
        Unit of the pixel values.
    quantity : str
        Name in words, for figures.
    transform : {"log10", "log10(1+x)"}
        Transform of the pixel values before training.
    """

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
"""The 13 fields in CMD's order. Only Mstar has zeros, hence its transform."""
