"""What tuning needs to be told. Values, units and sources are in ``conf/``."""

from pydantic import ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass

from multifield.training.config import Integer, Real, Seed, Text

# The ranges lie within those of `multifield.training.Hyperparameters`, so that no draw is refused.


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class RateRange:
    """Numbers in [0, 1) from `low` to `high`, both included."""

    low: Real = Field(ge=0, lt=1)
    high: Real = Field(ge=0, lt=1)

    @model_validator(mode="after")
    def _in_order(self) -> "RateRange":
        _check_order(self.low, self.high)
        return self


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class LogRange:
    """Positive numbers from `low` to `high`, both included; equally many in each decade."""

    low: Real = Field(gt=0)
    high: Real = Field(gt=0)

    @model_validator(mode="after")
    def _in_order(self) -> "LogRange":
        _check_order(self.low, self.high)
        return self


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class IntegerRange:
    """Whole numbers >= 1 from `low` to `high`, both included."""

    low: Integer = Field(ge=1)
    high: Integer = Field(ge=1)

    @model_validator(mode="after")
    def _in_order(self) -> "IntegerRange":
        _check_order(self.low, self.high)
        return self


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class SearchSpace:
    """Ranges of the hyperparameters, under the published studies' names."""

    lr: LogRange
    wd: LogRange
    dr: RateRange
    hidden: IntegerRange


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class TuningConfig:
    """How many trials, and where."""

    n_trials: Integer = Field(ge=1)
    n_startup_trials: Integer = Field(ge=0)  # uniform draws before TPE takes over
    seed: Seed  # of the draws and of each trial's training
    study_name: Text  # the benchmark's is wd_dr_hidden_lr_o3
    search_space: SearchSpace


def _check_order(low: float | int, high: float | int) -> None:
    if low > high:
        raise ValueError(f"range: expected low <= high, got {low} and {high}")
