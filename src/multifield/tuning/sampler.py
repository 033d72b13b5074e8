"""How trials are drawn and pruned: Optuna's TPE sampler and pruners."""

import zlib
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial

from multifield.config.training import Hyperparameters
from multifield.config.tuning import PrunerConfig, SearchSpace


def derive_seed(seed: int, trial: int, purpose: str) -> int:
    """Derive a seed in [0, 2^32) for one trial and purpose."""
    entropy = (seed, trial, zlib.crc32(purpose.encode()))
    return int(np.random.SeedSequence(entropy).generate_state(1)[0])


class ReproducibleTPESampler(BaseSampler):
    """TPE sampler with a new random stream for each trial and parameter.

    Optuna's sampler has one stream per process, so a resumed study would draw other trials than an
    uninterrupted one.

    Parameters
    ----------
    seed : int
        Seed of all draws.
    n_startup_trials : int
        Number of complete trials before TPE replaces uniform draws.
    """

    def __init__(self, seed: int, n_startup_trials: int) -> None:
        self._seed = seed
        self._n_startup_trials = n_startup_trials

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return the parameters that are drawn together."""
        return self._tpe(trial, "relative").infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Draw these parameters together."""
        return self._tpe(trial, "relative").sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Draw one parameter."""
        sampler = self._tpe(trial, param_name)
        return sampler.sample_independent(study, trial, param_name, param_distribution)

    def _tpe(self, trial: FrozenTrial, purpose: str) -> TPESampler:
        return TPESampler(
            n_startup_trials=self._n_startup_trials,
            seed=derive_seed(self._seed, trial.number, purpose),
        )


def suggest(trial: optuna.Trial, space: SearchSpace) -> Hyperparameters:
    """Draw the hyperparameters of a trial.

    Parameters
    ----------
    trial : Trial
        Running trial of a study.
    space : SearchSpace
        Ranges of the hyperparameters.

    Returns
    -------
    hyperparameters : Hyperparameters
        Drawn values.
    """
    return Hyperparameters(
        lr=trial.suggest_float("lr", space.lr.low, space.lr.high, log=True),
        wd=trial.suggest_float("wd", space.wd.low, space.wd.high, log=True),
        dr=trial.suggest_float("dr", space.dr.low, space.dr.high),
        hidden=trial.suggest_int("hidden", space.hidden.low, space.hidden.high),
    )


def make_pruner(config: PrunerConfig, epochs: int) -> BasePruner:
    """Return the pruner of a configuration; ValueError if it could stop no trial."""
    config.check(epochs)
    if config.name == "median":
        return MedianPruner(
            n_startup_trials=config.n_startup_trials, n_warmup_steps=config.n_warmup_epochs
        )
    if config.name == "hyperband":
        return HyperbandPruner(
            min_resource=max(config.n_warmup_epochs, 1),
            max_resource=epochs,
            reduction_factor=config.reduction_factor,
        )
    return NopPruner()
