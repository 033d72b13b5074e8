"""Combined posteriors: of the networks of an ensemble, and of the maps of a simulation."""

from collections.abc import Mapping, Sequence

import numpy as np

from multifield import camels
from multifield.evaluation.bootstrap import Simulation
from multifield.evaluation.calibration import pulls
from multifield.evaluation.joint import JointPosterior
from multifield.evaluation.results import (
    N_PARAMETERS,
    Results,
    mixture_moments,
    parameter_columns,
)

Correlations = dict[str, float]
"""Parameter -> correlation of the errors of two maps of one simulation."""


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
    joint = None
    if all(each.joint is not None for each in results):
        joint = JointPosterior.mixture([each.posterior for each in results])
    return Results(first.theta, *mixture_moments(means, stds), first.inferred, joint)


def estimate_correlations(valid_results: Results, simulation: Simulation) -> Correlations:
    """Estimate the correlation of the errors of two maps of one simulation.

    With pulls z = (mu - theta) / sigma, rho is <z_i z_j> over pairs of maps divided by <z_i^2> over
    maps. It is the intraclass correlation about zero: a bias of all maps counts as a shared error.

    Parameters
    ----------
    valid_results : Results
        One row per validation map, averaged over orientations.
    simulation : (M,) int64
        Simulation number of each row. Each simulation has the same number of maps.

    Returns
    -------
    correlations : dict of float
        rho of each parameter, from -1 / (n - 1) to 1 for n maps per simulation.

    Raises
    ------
    ValueError
        If simulations differ in their number of maps or have only one.
    """
    n_maps = _count_maps(simulation)
    correlations = {}
    for name in valid_results.inferred:
        z = pulls(valid_results, name)
        z = z / np.abs(z).max()  # squares of the widest pulls stay finite
        squares = float(np.sum(z**2))
        pairs = float(np.sum(np.bincount(simulation, z) ** 2)) - squares
        correlations[name] = pairs / ((n_maps - 1) * squares)
    return correlations


def combine_maps(
    results: Results, simulation: Simulation, correlations: Mapping[str, float]
) -> Results:
    """Combine the maps of each simulation into one posterior, with correlated errors.

    The errors of maps i and j have covariance C_ij = sigma_i sigma_j (rho + (1 - rho) delta_ij).
    With inverse-variance weights w_i proportional to 1 / sigma_i^2 that sum to 1,

        mean = sum_i w_i mu_i
        std^2 = sum_ij w_i C_ij w_j = rho (sum_i w_i sigma_i)^2 + (1 - rho) sum_i w_i^2 sigma_i^2

    For rho = 0 it is the product of independent Gaussians. For rho = 1 and equal sigma it is the
    posterior of one map.

    Parameters
    ----------
    results : Results
        One row per map, averaged over orientations.
    simulation : (M,) int64
        Simulation number of each row.
    correlations : mapping of str to float
        rho of each parameter, from `estimate_correlations` on validation maps.

    Returns
    -------
    combined : Results
        One row per simulation, in the order of their numbers.

    Raises
    ------
    ValueError
        If a parameter has no correlation or an impossible one, or maps of a simulation differ in
        their truth.

    Notes
    -----
    The weights that are optimal for C become negative for maps with sigma_i > sigma_min / rho, and
    then extrapolate. Inverse-variance weights do not, and the uncertainty of their mean is known as
    well.
    """
    n_maps = _count_maps(simulation)
    order = np.argsort(simulation, kind="stable").reshape(-1, n_maps)
    theta = results.theta[order]  # (simulations, maps, 6)
    if not np.array_equal(theta, np.broadcast_to(theta[:, :1], theta.shape), equal_nan=True):
        raise ValueError("simulation: Expected one truth per simulation, got several.")
    mean = np.full((len(order), N_PARAMETERS), np.nan)
    std = mean.copy()
    for name, column in zip(results.inferred, parameter_columns(results.inferred), strict=True):
        rho = _check_correlation(correlations, name, n_maps)
        mu, sigma = results.mean[order, column], results.std[order, column]
        weight = (sigma.min(axis=1, keepdims=True) / sigma) ** 2
        weight /= weight.sum(axis=1, keepdims=True)
        shared, own = np.sum(weight * sigma, axis=1) ** 2, np.sum((weight * sigma) ** 2, axis=1)
        mean[:, column] = np.sum(weight * mu, axis=1)
        std[:, column] = np.sqrt(rho * shared + (1 - rho) * own)
    return Results(theta[:, 0], mean, std, results.inferred)


def _count_maps(simulation: Simulation) -> int:
    """Count the maps per simulation; ValueError unless equal for all and at least two."""
    counts = np.bincount(simulation)
    if counts.min() != counts.max() or counts.min() < 2:
        raise ValueError(
            "simulation: Expected the same number of maps per simulation, at least 2 "
            f"({camels.MAPS_PER_SIMULATION} in CMD), got {counts.min()} to {counts.max()}."
        )
    return int(counts.min())


def _check_correlation(correlations: Mapping[str, float], name: str, n_maps: int) -> float:
    rho = correlations.get(name)
    if rho is None or not -1 / (n_maps - 1) < rho <= 1:
        raise ValueError(f"correlations: Expected -1/{n_maps - 1} to 1 for {name}, got {rho}.")
    return rho
