"""The exact posterior of mock Gaussian fields, as results that can be scored like a network's."""

from collections.abc import Mapping

import numpy as np

from multifield import camels
from multifield.core.arrays import Maps, Theta
from multifield.data.preprocess import LogMaps
from multifield.evaluation import Results
from multifield.maps.splits import Split, maps_of
from multifield.mock import gaussian, gaussian_likelihood, gaussian_posterior


def exact_results(log_maps: Maps, theta: Theta) -> Results:
    """Infer the parameters of maps of `MockGaussian` as well as it can be done.

    Parameters
    ----------
    log_maps : (M, L, L) float32
        Neither smoothed nor without their monopole.
    theta : (M, 6) float64
        True parameters of each map.

    Returns
    -------
    results : Results
        Mean and standard deviation of the posterior, see `mock.gaussian_posterior`.
    """
    posterior = gaussian_posterior.posterior(gaussian_likelihood.summarize(log_maps))
    mean, std = np.full(theta.shape, np.nan), np.full(theta.shape, np.nan)
    mean[:, :2], std[:, :2] = posterior.mean, posterior.std
    return Results(theta, mean, std, camels.COSMOLOGY)


def infer_exactly(
    suite: str, log_maps: Mapping[str, LogMaps], theta: Theta, split: Split
) -> dict[str, Results]:
    """Infer the parameters of the test maps exactly where it is known how.

    Parameters
    ----------
    suite : str
    log_maps : mapping of field to LogMaps
    theta : (S, 6) float64
    split : Split

    Returns
    -------
    results : dict of str to Results
        ``exact posterior``, rows ordered (simulation, map). Empty for other suites than `MockGaussian`, and
        for maps that were smoothed or lost their monopole.
    """
    if suite != gaussian.SUITE:
        return {}
    (entry,) = log_maps.values()
    recipe = entry.provenance
    if (recipe["smoothing_width"], recipe["remove_monopole"]) != ("0", "False"):
        return {}
    maps = maps_of(split.test)
    truth = theta[maps // camels.MAPS_PER_SIMULATION]
    return {"exact posterior": exact_results(entry.read(maps), truth)}
