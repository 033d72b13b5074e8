"""Settings of files of posterior draws. Values and reasons are in ``conf/``."""

from pydantic import ConfigDict, Field, NonNegativeInt
from pydantic.dataclasses import dataclass

from multifield.core.strict_types import Integer


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class DrawsConfig:
    """Files of posterior draws.

    Attributes
    ----------
    n : int
        Number of draws per map.
    seed : int
        Seed of the draws.
    netcdf : bool
        Whether the draws are also written as NetCDF for ArviZ.
    getdist : tuple of int
        Numbers of the maps whose draws are also written as GetDist chains.
    """

    n: Integer = Field(ge=1)
    seed: Integer = Field(ge=0)
    netcdf: bool
    getdist: tuple[NonNegativeInt, ...]
