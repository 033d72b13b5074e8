"""Which test maps are worth looking at one by one."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from multifield.evaluation.bootstrap import simulation_of_rows
from multifield.evaluation.calibration import pulls
from multifield.evaluation.results import Results, average_orientations, parameter_columns

Rows = Int64[np.ndarray, " K"]


@dataclass(frozen=True, eq=False)
class Examples:
    """Some of the maps of a test.

    Attributes
    ----------
    rows : (K,) int64
        Positions among the maps tested, each in one orientation.
    results : Results
        What was inferred of these, orientations combined.
    chi2 : (K,) float64
        Mean squared pull of each map over the parameters inferred.
    """

    rows: Rows
    results: Results
    chi2: np.ndarray


def choose_best_and_worst(
    results: Results, n_orientations: int, n_each: int
) -> tuple[Examples, Examples]:
    """Choose the maps of the smallest and of the largest chi2, one a simulation at most.

    Siblings err alike; without the rule the worst maps would be one simulation from several sides.

    Parameters
    ----------
    results : Results
        Rows ordered (orientation, simulation, map).
    n_orientations : int
    n_each : int
        Maps to choose at either end; fewer if there are fewer than twice as many simulations.

    Returns
    -------
    best, worst : Examples
        No map is in both unless there is one simulation only.
    """
    maps = average_orientations(results, n_orientations)
    simulation = simulation_of_rows(maps, 1)
    chi2 = np.mean([pulls(maps, name) ** 2 for name in maps.inferred], axis=0)
    n_simulations = int(simulation.max()) + 1
    n = max(1, min(n_each, n_simulations // 2))
    order = np.argsort(chi2, kind="stable")
    best, worst = (_first_of_each(rows, simulation)[:n] for rows in (order, order[::-1]))
    return _take(maps, chi2, best), _take(maps, chi2, worst)


def choose_across(results: Results, n_orientations: int, n: int) -> Examples:
    """Choose maps that span the truth of the first parameter inferred, from low to high.

    Parameters
    ----------
    results : Results
        Rows ordered (orientation, simulation, map).
    n_orientations : int
    n : int
        Maps to choose, of different simulations; fewer if there are fewer simulations.

    Returns
    -------
    examples : Examples
    """
    maps = average_orientations(results, n_orientations)
    first = _first_of_each(np.arange(len(maps)), simulation_of_rows(maps, 1))
    column = parameter_columns(maps.inferred[:1])[0]
    ranked = first[np.argsort(maps.theta[first, column], kind="stable")]
    n = min(n, len(ranked))
    places = np.round((np.arange(n) + 0.5) / n * len(ranked) - 0.5).astype(np.int64)
    chi2 = np.mean([pulls(maps, name) ** 2 for name in maps.inferred], axis=0)
    return _take(maps, chi2, ranked[places])


def _first_of_each(rows: Rows, simulation: np.ndarray) -> np.ndarray:
    """Keep the first row of each simulation, in the order given."""
    _, first = np.unique(simulation[rows], return_index=True)
    kept: np.ndarray = rows[np.sort(first)]
    return kept


def _take(maps: Results, chi2: np.ndarray, rows: Rows) -> Examples:
    taken = Results(maps.theta[rows], maps.mean[rows], maps.std[rows], maps.inferred)
    return Examples(rows, taken, chi2[rows])
