"""Importances of hyperparameters in studies whose best trials are known."""

import optuna
import pytest

from multifield.tuning import MIN_TRIALS, estimate_importances


def make_study(n_trials):
    """A study whose loss is the dropout."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))

    def loss(trial):
        trial.suggest_float("lr", 1e-5, 1e-2, log=True)
        trial.suggest_float("wd", 1e-8, 1e-1, log=True)
        trial.suggest_int("hidden", 6, 12)
        return trial.suggest_float("dr", 0, 0.9)

    study.optimize(loss, n_trials)
    return study


@pytest.mark.parametrize("n_trials", [MIN_TRIALS, 60])
def test_what_decides_comes_first(n_trials):
    importances = estimate_importances(make_study(n_trials))
    assert next(iter(importances)) == "dr"
    assert sum(importances.values()) == pytest.approx(1)
    assert set(importances) == {"lr", "wd", "dr", "hidden"}


def test_of_few_trials_nothing_is_said():
    assert estimate_importances(make_study(MIN_TRIALS - 1)) == {}
