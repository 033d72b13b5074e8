"""Settings of studies. Values, reasons and sources are in ``conf/``."""

from dataclasses import asdict
from typing import Annotated, Any, Literal
from urllib.parse import parse_qs, urlsplit

from pydantic import AfterValidator, ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass

from multifield.config.training import Hyperparameters
from multifield.core.strict_types import Integer, Real, Seed, Text


def check_storage(storage: str) -> str:
    """Check the storage of a study. No message shows a password.

    Parameters
    ----------
    storage : str
        ``sqlite``, or the URL of a database.

    Returns
    -------
    storage : str
        The same.

    Raises
    ------
    ValueError
        If it is neither, or the URL contains a password.
    """
    if storage == "sqlite":
        return storage
    try:
        url = urlsplit(storage)
        options = parse_qs(url.query, keep_blank_values=True)
        # PostgreSQL: `password`, `sslpassword`; MySQL: `passwd`
        secret = url.password is not None or any("passw" in name.lower() for name in options)
    except ValueError:
        raise ValueError("storage: Expected sqlite or a valid URL.") from None
    if secret:
        raise ValueError(
            "storage: The URL contains a password, which logs and shells show. Use the environment "
            "variables of the database's driver, such as PGPASSWORD."
        )
    if "://" not in storage:
        raise ValueError(
            f"storage: Expected sqlite or the URL of a database for Optuna, such as "
            f"postgresql+psycopg://<host>/<database>, got {storage!r}."
        )
    return storage


Storage = Annotated[str, AfterValidator(check_storage)]

# The ranges are inside those of `Hyperparameters`, so that every draw is valid.


def _check_order(limits: Any) -> Any:
    if limits.low > limits.high:
        raise ValueError(f"range: Expected low <= high, got {limits.low} and {limits.high}.")
    return limits


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class RateRange:
    """Range of numbers in [0, 1), drawn uniformly.

    Attributes
    ----------
    low, high : float
        Limits, included.
    """

    low: Real = Field(ge=0, lt=1)
    high: Real = Field(ge=0, lt=1)

    _in_order = model_validator(mode="after")(_check_order)


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class LogRange:
    """Range of positive numbers, drawn log-uniformly.

    Attributes
    ----------
    low, high : float
        Limits, included.
    """

    low: Real = Field(gt=0)
    high: Real = Field(gt=0)

    _in_order = model_validator(mode="after")(_check_order)


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class IntegerRange:
    """Range of integers >= 1, drawn uniformly.

    Attributes
    ----------
    low, high : int
        Limits, included.
    """

    low: Integer = Field(ge=1)
    high: Integer = Field(ge=1)

    _in_order = model_validator(mode="after")(_check_order)


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class SearchSpace:
    """Ranges of the hyperparameters, with the names of the published studies.

    Attributes
    ----------
    lr, wd : LogRange
        Range of the highest learning rate and of the weight decay.
    dr : RateRange
        Range of the dropout probability.
    hidden : IntegerRange
        Range of the width of the network.
    """

    lr: LogRange
    wd: LogRange
    dr: RateRange
    hidden: IntegerRange


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class PrunerConfig:
    """Pruning of trials by their validation loss.

    Attributes
    ----------
    name : {"none", "median", "hyperband"}
        Pruner of Optuna.
    n_startup_trials : int
        Number of complete trials before ``median`` stops any.
    n_warmup_epochs : int
        Number of epochs before a trial may be stopped.
    reduction_factor : int
        Ratio of trials before and after each rung of ``hyperband``.
    """

    name: Literal["none", "median", "hyperband"]
    n_startup_trials: Integer = Field(ge=0)
    n_warmup_epochs: Integer = Field(ge=0)
    reduction_factor: Integer = Field(ge=2)

    def check(self, epochs: int) -> None:
        """Check that the pruner can stop a trial.

        Parameters
        ----------
        epochs : int
            Number of epochs of a trial.

        Raises
        ------
        ValueError
            If trials end before any may be stopped.
        """
        if self.name != "none" and self.n_warmup_epochs >= epochs:
            raise ValueError(
                f"pruner.n_warmup_epochs: Expected fewer than the {epochs} epochs of a trial with "
                f"pruner {self.name}, got {self.n_warmup_epochs}."
            )


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class TuningConfig:
    """Settings of a study.

    Attributes
    ----------
    n_trials : int
        Number of trials.
    n_startup_trials : int
        Number of random trials before the sampler (TPE) starts.
    seed : int
        Seed of the sampler and of the trainings.
    study_name : str
        Name in the database. The benchmark's is ``wd_dr_hidden_lr_o3``.
    search_space : SearchSpace
        Ranges of the hyperparameters.
    enqueue : tuple of Hyperparameters
        Hyperparameters of the first trials.
    pruner : PrunerConfig
        Pruning of trials.
    keep_weights : int
        Number of best trials whose weights are kept. 0 keeps all.
    storage : str
        ``sqlite`` (a file in the model folder), or the URL of a database.
    """

    n_trials: Integer = Field(ge=1)
    n_startup_trials: Integer = Field(ge=0)
    seed: Seed
    study_name: Text
    search_space: SearchSpace
    enqueue: tuple[Hyperparameters, ...]
    pruner: PrunerConfig
    keep_weights: Integer = Field(ge=0)
    storage: Storage

    @model_validator(mode="after")
    def _enqueued_can_be_drawn(self) -> "TuningConfig":
        for number, trial in enumerate(self.enqueue):
            for name, value in asdict(trial).items():
                allowed = getattr(self.search_space, name)
                if not allowed.low <= value <= allowed.high:
                    raise ValueError(
                        f"enqueue[{number}].{name}: Expected a value of the search space, "
                        f"{allowed.low} to {allowed.high}, got {value}."
                    )
        return self
