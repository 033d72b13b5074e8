"""Combined posteriors: of the networks of an ensemble, and of the maps of a simulation."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.optimize import minimize_scalar

from multifield import camels
from multifield.evaluation.bootstrap import Simulation
from multifield.evaluation.combined import CombinedPosterior, log_product, propose, weigh
from multifield.evaluation.joint import JointPosterior
from multifield.evaluation.results import Results, mixture_moments


def average_networks(results: Sequence[Results]) -> Results:
    """Combine networks as the equal mixture of their posteriors.

    mean = <mean_k>, std^2 = <std_k^2> + var(mean_k), as in deep ensembles (Lakshminarayanan et al.
    2017, arXiv:1612.01474).

    Parameters
    ----------
    results : sequence of Results
        Posteriors by each network, of the same maps in the same order.

    Returns
    -------
    ensemble : Results
        Mean and standard deviation of the mixture, row by row.

    Raises
    ------
    ValueError
        If there is no network, or the networks differ in truth or in inferred parameters.
    """
    if not results:
        raise ValueError("results: Expected posteriors by at least one network, got none.")
    first = results[0]
    for number, other in enumerate(results):
        same_truth = np.array_equal(other.theta, first.theta, equal_nan=True)
        if not same_truth or other.inferred != first.inferred:
            raise ValueError(
                "results: Expected the same maps and parameters for every network, got others for "
                f"network {number}."
            )
    means, stds = np.stack([r.mean for r in results]), np.stack([r.std for r in results])
    joints = [each.joint for each in results if each.joint is not None]
    joint = JointPosterior.mixture(joints) if len(joints) == len(results) else None
    mean, std = mixture_moments(means, stds)
    return replace(first, mean=mean, std=std, joint=joint)


def combine_maps(results: Results, simulation: Simulation, share: float) -> Results:
    """Combine the maps of each simulation; see `combine_posteriors`.

    Parameters
    ----------
    results : Results
        One row per map, averaged over orientations.
    simulation : (M,) int64
        Simulation number of each row.
    share : float
        Effective number of independent maps per map, in (0, 1], from `fit_share`.

    Returns
    -------
    combined : Results
        Truth, mean and standard deviation of each simulation, in the order of their numbers.
    """
    return summarize(combine_posteriors(results, simulation, share), results, simulation)


def summarize(combined: CombinedPosterior, results: Results, simulation: Simulation) -> Results:
    """Describe posteriors of simulations by means and standard deviations.

    Parameters
    ----------
    combined : CombinedPosterior
        Posterior of each simulation, from `combine_posteriors`.
    results : Results
        Posteriors of the maps, which contain the truth.
    simulation : (M,) int64
        Simulation number of each map.

    Returns
    -------
    results : Results
        Truth, mean and standard deviation of each simulation, in the order of their numbers.
    """
    theta = results.theta[np.unique(simulation, return_index=True)[1]]
    columns = results.columns
    mean = np.full(theta.shape, np.nan)
    std = mean.copy()
    mean[:, columns], covariance = combined.moments()
    std[:, columns] = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    return Results(theta, mean, std, results.inferred, space=results.space)


def combine_posteriors(results: Results, simulation: Simulation, share: float) -> CombinedPosterior:
    """Combine the maps of each simulation into one posterior.

    Parameters
    ----------
    results : Results
        One row per map, averaged over orientations.
    simulation : (M,) int64
        Simulation number of each row.
    share : float
        Effective number of independent maps per map, in (0, 1], from `fit_share`.

    Returns
    -------
    combined : CombinedPosterior
        One posterior per simulation, in the order of their numbers.

    Raises
    ------
    ValueError
        If the share is out of range, or simulations differ in their number of maps, or maps of one
        simulation in their truth.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share: Expected a number in (0, 1], got {share}.")
    _, maps, n_maps = _sorted(results, simulation)
    return CombinedPosterior.of_maps(maps, n_maps, share)


def fit_share(valid_results: Results, simulation: Simulation) -> float:
    """Fit the effective number of independent maps to validation simulations.

    Parameters
    ----------
    valid_results : Results
        One row per validation map, averaged over orientations.
    simulation : (M,) int64
        Simulation number of each row.

    Returns
    -------
    share : float
        n_eff / n from 1 / n to 1, which gives the true parameters of the validation simulations the
        highest mean log-probability.
    """
    theta, maps, n_maps = _sorted(valid_results, simulation)
    truth = theta[:, maps.space.columns(maps.parameters)]
    of_truth = log_product(maps, n_maps, truth[:, None])[:, 0]
    # points for a broad posterior serve every share
    _, of_product, log_proposal = propose(maps, n_maps, max(0.3, 1 / n_maps))

    def loss(log_share: float) -> float:
        share = np.exp(log_share)
        _, log_evidence = weigh(share * of_product - log_proposal)
        return -float(np.mean(share * of_truth - log_evidence))

    found = minimize_scalar(loss, bounds=(-np.log(n_maps), 0.0), method="bounded")
    return float(np.exp(found.x))


def _sorted(results: Results, simulation: Simulation) -> tuple[np.ndarray, JointPosterior, int]:
    """Return truths (S, 6), posteriors inside the prior ordered by simulation, and n."""
    counts = np.bincount(simulation)
    if counts.min() != counts.max() or counts.min() < 2:
        raise ValueError(
            "simulation: Expected the same number of maps per simulation, at least 2 "
            f"({camels.MAPS_PER_SIMULATION} in CMD), got {counts.min()} to {counts.max()}."
        )
    n_maps = int(counts[0])
    order = np.argsort(simulation, kind="stable")
    theta = results.theta[order].reshape(len(counts), n_maps, -1)
    if not np.array_equal(theta, np.broadcast_to(theta[:, :1], theta.shape), equal_nan=True):
        raise ValueError("simulation: Expected one truth per simulation, got several.")
    return theta[:, 0].copy(), results.posterior.take(order).inside_prior(), n_maps
