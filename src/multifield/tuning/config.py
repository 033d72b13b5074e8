"""What tuning needs to be told. Values, units and sources are in ``conf/``."""

from pydantic import ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class FloatRange:
    """Real numbers from `low` to `high`, both included."""

    low: float
    high: float

    @model_validator(mode="after")
    def _in_order(self) -> "FloatRange":
        _check_order(self.low, self.high)
        return self


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class LogRange:
    """Positive numbers from `low` to `high`, both included; equally many in each decade."""

    low: float = Field(gt=0)
    high: float = Field(gt=0)

    @model_validator(mode="after")
    def _in_order(self) -> "LogRange":
        _check_order(self.low, self.high)
        return self


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class IntegerRange:
    """Whole numbers from `low` to `high`, both included."""

    low: int
    high: int

    @model_validator(mode="after")
    def _in_order(self) -> "IntegerRange":
        _check_order(self.low, self.high)
        return self


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class SearchSpace:
    """Ranges of the hyperparameters, under the published studies' names."""

    lr: LogRange
    wd: LogRange
    dr: FloatRange
    hidden: IntegerRange


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class TuningConfig:
    """How many trials, and where."""

    n_trials: int = Field(ge=1)
    n_startup_trials: int = Field(ge=0)  # uniform draws before TPE takes over
    seed: int = Field(ge=0)  # of the draws and of each trial's training
    study_name: str  # the benchmark's is wd_dr_hidden_lr_o3
    search_space: SearchSpace


def _check_order(low: float | int, high: float | int) -> None:
    if low > high:
        raise ValueError(f"range: expected low <= high, got {low} and {high}")
