"""Settings of preprocessing, split and normalization. Values and reasons are in ``conf/``."""

from typing import Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from multifield.core.strict_types import Flag, Integer, Real


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class PreprocessingConfig:
    """Preprocessing of each map.

    Attributes
    ----------
    smoothing_width : float
        Width of the Gaussian smoothing [pixels].
    remove_monopole : bool
        Whether the mean of each log map is subtracted.
    compact : bool
        Whether log maps are stored in 16 bits.
    n_threads : int
        Number of threads. 0 uses all cores.
    """

    smoothing_width: Real = Field(ge=0)
    remove_monopole: Flag
    compact: Flag
    n_threads: Integer = Field(ge=0)


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class SplitConfig:
    """Split of the simulations into training, validation and test.

    Attributes
    ----------
    seed : int
        Seed of the random split.
    n_valid, n_test : int
        Number of validation and of test simulations.
    """

    seed: Integer = Field(ge=0, lt=2**32)
    n_valid: Integer = Field(ge=1)
    n_test: Integer = Field(ge=1)


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class NormalizationConfig:
    """Mean and standard deviation that standardize the maps.

    Attributes
    ----------
    over : {"training", "all"}
        Simulations whose maps are averaged. ``all`` is the published way, which includes validation
        and test maps.
    """

    over: Literal["training", "all"]
