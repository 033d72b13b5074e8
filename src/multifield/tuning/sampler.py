"""Optuna's TPE sampler, with draws that depend on the number of the trial."""

import zlib
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial


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
