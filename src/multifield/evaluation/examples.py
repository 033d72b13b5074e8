"""Selection of single test maps to show."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from multifield.evaluation.bootstrap import simulation_of_rows
from multifield.evaluation.calibration import pulls
from multifield.evaluation.results import Results, average_orientations

Rows = Int64[np.ndarray, " K"]


@dataclass(frozen=True, eq=False)
class Examples:
    """Some of the test maps.

    Attributes
    ----------
    rows : (K,) int64
        Map numbers in the test set.
    results : Results
        Posteriors of these maps, averaged over orientations.
    chi2 : (K,) float64
        Mean squared pull of each map over the inferred parameters.
    """

    rows: Rows
    results: Results
    chi2: np.ndarray


def choose_typical_and_worst(
    results: Results, n_orientations: int, n_each: int
) -> tuple[Examples, Examples]:
    """Choose maps with a typical and with the largest chi2, at most one per simulation.

    Typical maps have a chi2 near the median: the smallest values are chance. Maps of one simulation
    have similar errors. Without the limit, most of the worst maps would belong to one simulation.

    Parameters
    ----------
    results : Results
        Rows ordered (orientation, simulation, map).
    n_orientations : int
        Number of orientations of each map.
    n_each : int
        Number of typical and of worst maps. It is limited to half the number of simulations.

    Returns
    -------
    typical, worst : Examples
        Typical and worst maps. No simulation is in both unless there is a single one.
    """
    maps = average_orientations(results, n_orientations)
    simulation = simulation_of_rows(maps, 1)
    n_simulations = int(simulation.max()) + 1
    n = max(1, min(n_each, n_simulations // 2))
    chi2 = _chi2(maps)
    worst = _first_of_each(np.argsort(-chi2, kind="stable"), simulation)[:n]
    nearest = np.argsort(np.abs(chi2 - np.median(chi2)), kind="stable")
    others = nearest[~np.isin(simulation[nearest], simulation[worst])]
    typical = _first_of_each(others if len(others) else nearest, simulation)[:n]
    return _take(maps, typical), _take(maps, worst)


def choose_across(results: Results, n_orientations: int, n: int) -> Examples:
    """Choose maps that span the truth of the first inferred parameter, from low to high.

    Parameters
    ----------
    results : Results
        Rows ordered (orientation, simulation, map).
    n_orientations : int
        Number of orientations of each map.
    n : int
        Number of maps, one per simulation. It is limited to the number of simulations.

    Returns
    -------
    examples : Examples
        The maps, in ascending order of the parameter.
    """
    maps = average_orientations(results, n_orientations)
    first = _first_of_each(np.arange(len(maps)), simulation_of_rows(maps, 1))
    theta, _, _ = maps.take(first).of(maps.inferred[0])
    ranked = first[np.argsort(theta, kind="stable")]
    n = min(n, len(ranked))
    places = np.round((np.arange(n) + 0.5) / n * len(ranked) - 0.5).astype(np.int64)
    return _take(maps, ranked[places])


def _chi2(maps: Results) -> np.ndarray:
    chi2: np.ndarray = np.mean([pulls(maps, name) ** 2 for name in maps.inferred], axis=0)
    return chi2


def _first_of_each(rows: Rows, simulation: np.ndarray) -> np.ndarray:
    """Keep the first row of each simulation, in the order given."""
    _, first = np.unique(simulation[rows], return_index=True)
    kept: np.ndarray = rows[np.sort(first)]
    return kept


def _take(maps: Results, rows: Rows) -> Examples:
    taken = maps.take(rows)
    return Examples(rows, taken, _chi2(taken))
