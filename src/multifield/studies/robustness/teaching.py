"""Parameters for a suite that has none to show: what a network of another field infers of its simulations.

Pseudo-labels (Lee 2013, ICML workshop on challenges in representation learning), from a field that is right
from suite to suite to one that is not.
"""

from dataclasses import replace

import numpy as np

from multifield import camels
from multifield.evaluation import Results, simulation_of_rows
from multifield.studies.robustness.training_suites import SuiteMaps


def without_parameters(suite: SuiteMaps) -> SuiteMaps:
    """Give a suite with NaN for all its parameters, so that nothing behind it can use them."""
    return replace(suite, theta=np.full_like(suite.theta, np.nan))


def take_as_labels(suite: SuiteMaps, inferred: Results, n_orientations: int) -> SuiteMaps:
    """Give the training simulations of a suite the parameters that were inferred of their maps.

    Parameters
    ----------
    suite : SuiteMaps
        `without_parameters`.
    inferred : Results
        Of its training simulations, rows ordered (orientation, simulation, map).
    n_orientations : int

    Returns
    -------
    suite : SuiteMaps
        Its theta is the average of the posterior means over the maps of each training simulation; NaN in
        other rows, and for what was not inferred.
    """
    simulation = simulation_of_rows(inferred, n_orientations)
    n_maps = n_orientations * camels.MAPS_PER_SIMULATION
    theta = suite.theta.copy()
    for name in inferred.inferred:
        column = camels.PARAMETER_NAMES.index(name)
        sums = np.bincount(simulation, weights=inferred.mean[:, column])
        theta[list(suite.split.train), column] = sums / n_maps
    return replace(suite, theta=theta)
