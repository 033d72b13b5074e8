"""What the selection of fields needs to be told. Values, units and reasons are in ``conf/``."""

from pydantic import ConfigDict, Field, field_validator
from pydantic.dataclasses import dataclass

from multifield.core.strict_types import Integer, Real
from multifield.training.config import Hyperparameters


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class ScorerConfig:
    """The one network that infers from any set of the fields, by which sets are ranked."""

    hyperparameters: Hyperparameters
    epochs: Integer = Field(ge=1)
    networks: Integer = Field(ge=1)  # the best by validation loss ranks the sets
    maps_per_set: Integer = Field(ge=2)  # of a batch, shown in the same set; divides the batch
    orientations: Integer = Field(ge=1, le=8)  # in which it looks at each validation map


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class SearchConfig:
    """Which sets are ranked, and which of them are trained from scratch."""

    exhaustive_up_to: Integer = Field(ge=0)  # [fields] of which all sets are ranked
    per_size: Integer = Field(ge=1)  # sets of each size to train, the best for each goal
    margin: Integer = Field(
        ge=0
    )  # [fields] fewer and more than the smallest set found, trained too


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class FinalistConfig:
    """The networks trained from scratch, each on one set of fields, as `train` does."""

    networks: Integer = Field(ge=1)  # of each set; the best by validation loss is tested


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class SelectFieldsConfig:
    """How the smallest sets of fields are looked for."""

    fractions: tuple[Real, ...] = Field(min_length=1)  # of the information in all fields
    scorer: ScorerConfig
    search: SearchConfig
    finalists: FinalistConfig

    @field_validator("fractions")
    @classmethod
    def _within_zero_and_one(cls, fractions: tuple[float, ...]) -> tuple[float, ...]:
        if not all(0 < fraction <= 1 for fraction in fractions):
            raise ValueError(f"expected numbers above 0 and up to 1, got {fractions}")
        if list(fractions) != sorted(set(fractions)):
            raise ValueError(f"expected rising numbers, each once, got {fractions}")
        return fractions
