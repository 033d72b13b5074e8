"""The exact posterior of `MockGaussian` maps, as results that are scored like a network's."""

from collections.abc import Mapping

import numpy as np

from multifield import camels
from multifield.core.arrays import Maps, Theta
from multifield.data.preprocess import LogMaps
from multifield.evaluation import Results
from multifield.maps.splits import Split, maps_of
from multifield.mock import gaussian, gaussian_likelihood, gaussian_posterior


def exact_results(log_maps: Maps, theta: Theta) -> Results:
    """Compute the exact posterior of `MockGaussian` maps.

    Parameters
    ----------
    log_maps : (M, L, L) float32
        Log maps, not smoothed and with their monopole.
    theta : (M, 6) float64
        True parameters of each map.

    Returns
    -------
    results : Results
        Mean and standard deviation of the posterior; see `mock.gaussian_posterior`.
    """
    posterior = gaussian_posterior.posterior(gaussian_likelihood.summarize(log_maps))
    mean, std = np.full(theta.shape, np.nan), np.full(theta.shape, np.nan)
    mean[:, :2], std[:, :2] = posterior.mean, posterior.std
    return Results(theta, mean, std, camels.COSMOLOGY)


def infer_exactly(
    suite: str, log_maps: Mapping[str, LogMaps], theta: Theta, split: Split
) -> dict[str, Results]:
    """Compute the exact posterior of the test maps of `MockGaussian`.

    Parameters
    ----------
    suite : str
        Name of the suite.
    log_maps : mapping of field to LogMaps
        Log maps of each field.
    theta : (S, 6) float64
        True parameters of each simulation.
    split : Split
        Split of the simulations.

    Returns
    -------
    results : dict of str to Results
        Results of ``exact posterior``, rows ordered (simulation, map). Empty for other suites, for
        maps that are smoothed, cut, masked or noisy, and for maps without monopole.
    """
    if suite != gaussian.SUITE:
        return {}
    (entry,) = log_maps.values()
    recipe = entry.provenance
    changed = {"cutout", "mask", "floor", "noise", "beam"} & set(recipe)
    if changed or (recipe["smoothing_width"], recipe["remove_monopole"]) != ("0", "False"):
        return {}
    maps = maps_of(split.test)
    truth = theta[maps // camels.MAPS_PER_SIMULATION]
    return {"exact posterior": exact_results(entry.read(maps), truth)}
