"""Importance of hyperparameters for the result of a trial."""

import optuna
from optuna.importance import PedAnovaImportanceEvaluator

from multifield.tuning.study import HYPERPARAMETER_NAMES, Study, rank_trials

MIN_TRIALS = 10
"""Smallest number of trials for importances; with fewer, the best five are half of all."""
N_BEST = 5  # trials that count as best; Optuna needs at least as many


def estimate_importances(study: Study) -> dict[str, float]:
    """Estimate the importance of each hyperparameter for reaching the best trials.

    PED-ANOVA compares the distribution of a hyperparameter among the best trials with that among
    all trials. The best are a tenth of the trials, at least `N_BEST`.

    Parameters
    ----------
    study : Study
        Study with complete trials.

    Returns
    -------
    importances : dict of str to float
        Share of each hyperparameter, largest first, with sum 1. Empty if fewer than `MIN_TRIALS`
        trials are complete.

    References
    ----------
    Watanabe, Bansal & Hutter 2023, arXiv:2304.10255. fANOVA, Optuna's former default, needs
    scikit-learn.
    """
    n_trials = len(rank_trials(study))
    if n_trials < MIN_TRIALS:
        return {}
    evaluator = PedAnovaImportanceEvaluator(target_quantile=max(0.1, N_BEST / n_trials))
    return optuna.importance.get_param_importances(
        study, evaluator=evaluator, params=list(HYPERPARAMETER_NAMES)
    )
