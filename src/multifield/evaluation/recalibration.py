"""Standard deviations of the right size on average, by one factor a parameter from validation maps."""

from collections.abc import Mapping

import numpy as np

from multifield import camels
from multifield.evaluation.metrics import Metrics, score_results
from multifield.evaluation.results import Results

Factors = dict[str, float]
"""Parameter -> what its standard deviations are multiplied with."""


def fit_sigma_factors(valid_results: Results) -> Factors:
    """Fit the factor that gives the validation maps a chi2 of 1.

    factor = sqrt(<((theta - mu) / sigma)^2>), the maximum-likelihood scale of Gaussian marginals. The average
    is over all rows: every simulation has as many, so copies of a map change neither its weight nor the
    factor's meaning, which is that of one row like these. For posteriors averaged over orientations fit
    on validation results that are averaged too.

    Parameters
    ----------
    valid_results : Results
        Of maps that were not trained on, nor are tested on. They chose the epoch and the trial; that
        makes their errors a little too small, which a factor cannot mend.

    Returns
    -------
    factors : dict of float
        One for each parameter inferred.

    Raises
    ------
    ValueError
        If a parameter has no error at all, so that no factor is > 0.

    Notes
    -----
    A factor that gives the central 68.3 % their coverage would heed neither outliers nor a sigma near zero,
    and it would leave the posteriors that have them too narrow on average. For Gaussian pulls a factor from
    their median needs 2.7 times the simulations for the same error (Huber 1981, Robust Statistics, chapter
    5). What the validation simulations leave open of this one is in the intervals of everything that
    is recalibrated: see `estimate_recalibrated_intervals`.
    """
    chi2 = score_results(valid_results)["chi2"]
    for name, value in chi2.items():
        if value == 0:
            raise ValueError(f"valid_results: expected errors > 0 of {name}, got none")
    return {name: float(np.sqrt(value)) for name, value in chi2.items()}


def recalibrate(results: Results, factors: Mapping[str, float]) -> Results:
    """Multiply the standard deviations with the factors; means stay.

    Raises
    ------
    ValueError
        If a parameter that was inferred has no factor, or one that is not finite and > 0.
    """
    std = results.std.copy()
    for name in results.inferred:
        factor = factors.get(name)
        if factor is None or not (0 < factor < np.inf):
            raise ValueError(f"factors: expected a finite one > 0 for {name}, got {factor}")
        std[:, camels.PARAMETER_NAMES.index(name)] *= factor
    return Results(results.theta, results.mean, std, results.inferred)


def score_recalibrated(results: Results, factors: Mapping[str, float]) -> Metrics:
    """Score results after recalibration.

    Parameters
    ----------
    results : Results
        Of test maps, of any suite.
    factors : mapping of str to float
        From `fit_sigma_factors` on validation maps of the suite trained on, by the same network in as many
        orientations. Parameters that are not in `results` may have one too.

    Returns
    -------
    metrics : dict of dict of float
        As `score_results`, and under ``sigma_factor`` the factors.
    """
    scores = score_results(recalibrate(results, factors))
    return {**scores, "sigma_factor": {name: factors[name] for name in results.inferred}}
