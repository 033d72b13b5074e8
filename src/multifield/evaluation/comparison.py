"""Several networks on the same test maps, side by side."""

from collections.abc import Mapping

from multifield.evaluation.metrics import score_results
from multifield.evaluation.results import Results

SHOWN = ("RMSE", "relative_error", "epsilon", "R2", "chi2")


def compare_trials(
    results: Mapping[int, Results], valid_losses: Mapping[int, float]
) -> list[dict[str, float | int | None]]:
    """Make a table of trials, a row each, in the order given.

    Parameters
    ----------
    results : mapping of int to Results
        Trial -> what its network inferred, best first.
    valid_losses : mapping of int to float
        Trial -> its value in the study.

    Returns
    -------
    rows : list of dict
        ``rank``, ``trial``, ``valid_loss`` and ``<metric>_<parameter>`` for the metrics of `SHOWN`; None
        where a metric is undefined.
    """
    rows = []
    for rank, (trial, trial_results) in enumerate(results.items(), start=1):
        metrics = score_results(trial_results)
        scores = {
            f"{metric}_{name}": metrics[metric].get(name)
            for metric in SHOWN
            for name in trial_results.inferred
        }
        rows.append({"rank": rank, "trial": trial, "valid_loss": valid_losses[trial], **scores})
    return rows
