"""Which hyperparameters made the difference between good and other trials."""

import optuna
from optuna.importance import PedAnovaImportanceEvaluator

from multifield.tuning.study import HYPERPARAMETER_NAMES, Study, rank_trials

MIN_TRIALS = 10
"""Smallest number of trials for importances; with fewer, the best five are half of all."""
N_BEST = 5  # trials that count as good; Optuna asks for at least as many


def estimate_importances(study: Study) -> dict[str, float]:
    """Estimate the importance of each hyperparameter for reaching the best trials.

    PED-ANOVA compares the distribution of a hyperparameter among the best tenth of the trials, but no
    fewer than `N_BEST`, with that among all of them.

    Parameters
    ----------
    study : Study

    Returns
    -------
    importances : dict of float
        Hyperparameter -> share, largest first; they sum to 1. Empty if fewer than `MIN_TRIALS` trials
        are complete, of which nothing can be said.

    References
    ----------
    Watanabe, Bansal & Hutter 2023, arXiv:2304.10255. Optuna's default of before, fANOVA, needs
    scikit-learn.
    """
    n_trials = len(rank_trials(study))
    if n_trials < MIN_TRIALS:
        return {}
    evaluator = PedAnovaImportanceEvaluator(target_quantile=max(0.1, N_BEST / n_trials))
    return optuna.importance.get_param_importances(
        study, evaluator=evaluator, params=list(HYPERPARAMETER_NAMES)
    )
