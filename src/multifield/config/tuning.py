"""What tuning needs to be told. Values, units and sources are in ``conf/``."""

from dataclasses import asdict
from typing import Annotated, Literal
from urllib.parse import parse_qs, urlsplit

from pydantic import AfterValidator, ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass

from multifield.config.training import Hyperparameters
from multifield.core.strict_types import Integer, Real, Seed, Text


def check_storage(storage: str) -> str:
    """Refuse what is no storage of a study; the message never shows a password."""
    if storage == "sqlite":
        return storage
    try:
        url = urlsplit(storage)
        options = parse_qs(url.query, keep_blank_values=True)
        # of PostgreSQL's driver, `password` and `sslpassword`; of MySQL's, `passwd`
        secret = url.password is not None or any("passw" in name.lower() for name in options)
    except ValueError:
        raise ValueError("storage: This is not a URL that can be read.") from None
    if secret:
        raise ValueError(
            "storage: The URL contains a password, which logs and shells show. Use the environment "
            "variables of the database's driver, such as PGPASSWORD."
        )
    if "://" not in storage:
        raise ValueError(
            f"storage: Expected sqlite or the URL of a database that Optuna takes, such as "
            f"postgresql+psycopg://<host>/<database>, got {storage!r}."
        )
    return storage


Storage = Annotated[str, AfterValidator(check_storage)]

# The ranges lie within those of `multifield.config.training.Hyperparameters`, so that no draw is refused.


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
class PrunerConfig:
    """Whether and when trials that lag behind are stopped, by their validation loss."""

    name: Literal["none", "median", "hyperband"]
    n_startup_trials: Integer = Field(ge=0)  # [trials] complete before median stops any
    n_warmup_epochs: Integer = Field(ge=0)  # [epochs] that every trial has
    reduction_factor: Integer = Field(ge=2)  # hyperband: one of so many goes on at each rung

    def check(self, epochs: int) -> None:
        """Raise ValueError if trials of so many epochs would end before any could be stopped."""
        if self.name != "none" and self.n_warmup_epochs >= epochs:
            raise ValueError(
                f"pruner.n_warmup_epochs: expected fewer than the {epochs} epochs of a trial, so that "
                f"{self.name} may stop one, got {self.n_warmup_epochs}"
            )


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class TuningConfig:
    """How many trials, and how they are drawn, stopped and kept."""

    n_trials: Integer = Field(ge=1)
    n_startup_trials: Integer = Field(ge=0)  # uniform draws before TPE takes over
    seed: Seed  # of the draws and of each trial's training
    study_name: Text  # the benchmark's is wd_dr_hidden_lr_o3
    search_space: SearchSpace
    enqueue: tuple[Hyperparameters, ...]  # of the first trials, instead of draws
    pruner: PrunerConfig
    keep_weights: Integer = Field(ge=0)  # of so many of the best trials; 0: of all
    storage: Storage

    @model_validator(mode="after")
    def _enqueued_can_be_drawn(self) -> "TuningConfig":
        for number, trial in enumerate(self.enqueue):
            for name, value in asdict(trial).items():
                allowed = getattr(self.search_space, name)
                if not allowed.low <= value <= allowed.high:
                    raise ValueError(
                        f"enqueue[{number}].{name}: expected {allowed.low} to {allowed.high}, the "
                        f"search space, got {value}"
                    )
        return self


def _check_order(low: float | int, high: float | int) -> None:
    if low > high:
        raise ValueError(f"range: expected low <= high, got {low} and {high}")
