"""Optuna's TPE sampler, with draws that depend on the trial's number and not on the process."""

import zlib
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial


def derive_seed(seed: int, trial: int, purpose: str) -> int:
    """Seed in [0, 2^32) of one trial for one purpose."""
    entropy = (seed, trial, zlib.crc32(purpose.encode()))
    return int(np.random.SeedSequence(entropy).generate_state(1)[0])


class ReproducibleTPESampler(BaseSampler):
    """TPE with a new random stream for each trial and parameter.

    Optuna's own seed starts one stream a process, so that a study that was interrupted and went on
    would draw other trials than one that ran through.

    Parameters
    ----------
    seed : int
    n_startup_trials : int
        Complete trials before TPE takes over from uniform draws.
    """

    def __init__(self, seed: int, n_startup_trials: int) -> None:
        self._seed = seed
        self._n_startup_trials = n_startup_trials

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Say which parameters are drawn together."""
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
