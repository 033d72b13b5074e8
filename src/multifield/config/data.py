"""Settings of preprocessing, split and normalization."""

from typing import Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from multifield.core.strict_types import Flag, Integer, Real


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class PreprocessingConfig:
    """What is done to each map before a network sees it."""

    smoothing_width: Real = Field(ge=0)  # [pixels]
    remove_monopole: Flag  # subtract each log map's own mean
    compact: Flag  # keep log maps in 16 bits
    n_threads: Integer = Field(ge=0)  # 0: all cores


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class SplitConfig:
    """How many simulations are held back, and the seed that draws them."""

    seed: Integer = Field(ge=0, lt=2**32)
    n_valid: Integer = Field(ge=1)
    n_test: Integer = Field(ge=1)


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class NormalizationConfig:
    """Which maps the statistics are taken over.

    ``training`` uses the training simulations alone; ``all`` is the published way, which lets validation
    and test maps in.
    """

    over: Literal["training", "all"]
