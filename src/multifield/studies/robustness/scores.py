"""Scores of a network on the held-out simulations of a suite, and widening of its sigma."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float64

from multifield.config.evaluation import BootstrapConfig
from multifield.evaluation import Results, estimate_intervals, score_results, simulation_of_rows
from multifield.evaluation.calibration import pulls

WITH_INTERVAL = ("RMSE", "bias", "R2", "chi2")
Record = dict[str, Any]


def score_test(
    results: Results, n_orientations: int, bootstrap: BootstrapConfig, clip: float
) -> list[Record]:
    """Score predictions of the cosmological parameters.

    Parameters
    ----------
    results : Results
        Results with rows ordered (orientation, simulation, map).
    n_orientations : int
        Number of orientations per map.
    bootstrap : BootstrapConfig
        Resampling of simulations for intervals.
    clip : float
        Largest squared pull in the clipped chi2; see `clipped_chi2`.

    Returns
    -------
    records : list of dict
        One record per parameter: ``parameter``, the metrics of `WITH_INTERVAL` with ``_low`` and
        ``_high``, ``chi2_clipped``, the share ``clipped`` and ``n_simulations``. A metric is None
        if it is undefined.
    """
    simulation = simulation_of_rows(results, n_orientations)
    metrics = score_results(results)
    intervals = estimate_intervals(results, simulation, bootstrap)
    records: list[Record] = []
    for name in results.inferred:
        record: Record = {"parameter": name}
        for metric in WITH_INTERVAL:
            interval = intervals[metric].get(name)
            record[metric] = metrics[metric].get(name)
            record[f"{metric}_low"] = None if interval is None else interval.low
            record[f"{metric}_high"] = None if interval is None else interval.high
        record["chi2_clipped"], record["clipped"] = clipped_chi2(pulls(results, name), clip)
        records.append(record | {"n_simulations": int(simulation.max()) + 1})
    return records


def clipped_chi2(pull: Float64[np.ndarray, " M"], clip: float) -> tuple[float | None, float]:
    """Average the squared pulls that are at most `clip`.

    A few maps with far too small a sigma can dominate chi2. For a unit Gaussian and a clip of 14,
    a share of 2e-4 is left out, which lowers chi2 by 0.3%.

    Parameters
    ----------
    pull : (M,) float64
        Pulls of each map.
    clip : float
        Largest squared pull that is kept.

    Returns
    -------
    chi2 : float or None
        Mean squared pull, None if no map is left.
    share : float
        Share of the maps left out.
    """
    squares = pull**2
    kept = squares <= clip
    return (float(squares[kept].mean()) if kept.any() else None), float(1 - kept.mean())


Disagreement = dict[str, float]
"""Additional standard deviation of each parameter for a new suite, in the parameter's unit."""


def fit_disagreement(left_out: Sequence[Results]) -> Disagreement:
    """Estimate the error on a suite that was not used in the training.

    tau^2 = max(0, <(mu - theta)^2 - sigma^2>) is averaged over maps, then over suites. It is the
    part of the error that a network's own sigma does not explain.

    Parameters
    ----------
    left_out : sequence of Results
        Results of each suite: its validation maps, predicted by a network trained on the other
        suites.

    Returns
    -------
    disagreement : dict of float
        Disagreement tau of each parameter.
    """
    taus = {}
    for name in left_out[0].inferred:
        column = left_out[0].space.index(name)
        unexplained = [
            float(np.mean((r.mean - r.theta)[:, column] ** 2 - r.std[:, column] ** 2))
            for r in left_out
        ]
        taus[name] = math.sqrt(max(0.0, float(np.mean(unexplained))))
    return taus


def widen(results: Results, disagreement: Disagreement) -> Results:
    """Add the disagreement to sigma in quadrature.

    Parameters
    ----------
    results : Results
        Results to widen.
    disagreement : dict of str to float
        Disagreement tau of each parameter.

    Returns
    -------
    results : Results
        Results with the same means and wider sigma.
    """
    std = results.std.copy()
    for name in results.inferred:
        column = results.space.index(name)
        std[:, column] = np.hypot(std[:, column], disagreement[name])
    return replace(results, std=std, joint=None)
