"""Recalibration of standard deviations by one factor per parameter from validation maps."""

from collections.abc import Mapping

import numpy as np

from multifield import camels
from multifield.evaluation.metrics import Metrics, score_results
from multifield.evaluation.results import Results

Factors = dict[str, float]
"""Parameter -> factor of its standard deviations."""


def fit_sigma_factors(valid_results: Results) -> Factors:
    """Fit the factor that gives the validation maps a chi2 of 1.

    factor = sqrt(<((theta - mu) / sigma)^2>) is the maximum-likelihood scale of Gaussian marginals.
    The average is over all rows. Every simulation has as many rows, so copies of a map do not
    change its weight. The factor applies to rows of the same kind: for posteriors that are averaged
    over orientations, fit it to averaged validation results.

    Parameters
    ----------
    valid_results : Results
        Posteriors of validation maps, which are neither trained nor tested on. Model selection uses
        the same maps, so their errors are slightly too small. A factor cannot correct that.

    Returns
    -------
    factors : dict of float
        One factor per inferred parameter.

    Raises
    ------
    ValueError
        If all errors of a parameter are zero, so that its factor is not positive.

    Notes
    -----
    A factor from the central 68.3% interval would ignore outliers and standard deviations near
    zero. Posteriors that contain them would stay too narrow on average. For Gaussian pulls, a
    factor from the median needs 2.7 times as many simulations for the same uncertainty (Huber 1981,
    Robust Statistics, chapter 5). The uncertainty of the factor is part of
    `estimate_recalibrated_intervals`.
    """
    chi2 = score_results(valid_results)["chi2"]
    for name, value in chi2.items():
        if value == 0:
            raise ValueError(f"valid_results: Expected errors > 0 of {name}, got only zeros.")
    return {name: float(np.sqrt(value)) for name, value in chi2.items()}


def recalibrate(results: Results, factors: Mapping[str, float]) -> Results:
    """Multiply the standard deviations by the factors. The means do not change.

    Parameters
    ----------
    results : Results
        Posteriors as inferred.
    factors : mapping of str to float
        Factor of each inferred parameter, from `fit_sigma_factors`.

    Returns
    -------
    recalibrated : Results
        The same rows with scaled standard deviations.

    Raises
    ------
    ValueError
        If an inferred parameter has no factor, or its factor is not finite and > 0.
    """
    std = results.std.copy()
    for name in results.inferred:
        factor = factors.get(name)
        if factor is None or not (0 < factor < np.inf):
            raise ValueError(f"factors: Expected a finite factor > 0 for {name}, got {factor}.")
        std[:, camels.PARAMETER_NAMES.index(name)] *= factor
    return Results(results.theta, results.mean, std, results.inferred)


def score_recalibrated(results: Results, factors: Mapping[str, float]) -> Metrics:
    """Score results after recalibration.

    Parameters
    ----------
    results : Results
        Posteriors of the test maps of any suite, not recalibrated.
    factors : mapping of str to float
        Factors from `fit_sigma_factors` on validation maps of the training suite, by the same
        network in as many orientations. Factors of other parameters are ignored.

    Returns
    -------
    metrics : dict of dict of float
        As `score_results`, and the factors under ``sigma_factor``.
    """
    scores = score_results(recalibrate(results, factors))
    return {**scores, "sigma_factor": {name: factors[name] for name in results.inferred}}
