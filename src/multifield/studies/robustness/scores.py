"""How good a network is on the held-out simulations of a suite: a record a parameter."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64

from multifield import camels
from multifield.config.evaluation import BootstrapConfig
from multifield.evaluation import Results, estimate_intervals, score_results, simulation_of_rows
from multifield.evaluation.calibration import pulls

WITH_INTERVAL = ("RMSE", "bias", "R2", "chi2")
Record = dict[str, Any]


def score_test(
    results: Results, n_orientations: int, bootstrap: BootstrapConfig, clip: float
) -> list[Record]:
    """Score a test on the cosmology.

    Parameters
    ----------
    results : Results
        Rows ordered (orientation, simulation, map).
    n_orientations : int
    bootstrap : BootstrapConfig
        Intervals are from drawing simulations.
    clip : float
        See `clipped_chi2`.

    Returns
    -------
    records : list of dict
        ``parameter``; each metric of `WITH_INTERVAL` with ``_low`` and ``_high``, None where
        undefined; ``chi2_clipped`` and the share ``clipped``; ``n_simulations``.
    """
    simulation = simulation_of_rows(results, n_orientations)
    metrics = score_results(results)
    intervals = estimate_intervals(results, simulation, bootstrap)
    records: list[Record] = []
    for name in camels.COSMOLOGY:
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

    A few maps with far too small a sigma can make all of chi2; this says how the others fare. Of a unit
    Gaussian 2e-4 of the maps are beyond 14, which takes 0.3 % off chi2.

    Returns
    -------
    chi2 : float or None
        None if no map is left.
    share : float
        Of the maps left out.
    """
    squares = pull**2
    kept = squares <= clip
    return (float(squares[kept].mean()) if kept.any() else None), float(1 - kept.mean())


Disagreement = dict[str, float]
"""Parameter -> standard deviation in its unit that a new suite adds."""


def fit_disagreement(left_out: Sequence[Results]) -> Disagreement:
    """Estimate the error that comes with a suite that was not trained on.

    tau^2 = max(0, <(mu - theta)^2 - sigma^2>), an average over suites of that over maps, which is what a
    network's own sigma does not explain.

    Parameters
    ----------
    left_out : sequence of Results
        A suite each: validation maps of it, inferred by a network that was trained on the others.

    Returns
    -------
    disagreement : dict of float
        tau of each parameter.
    """
    taus = {}
    for name in left_out[0].inferred:
        column = camels.PARAMETER_NAMES.index(name)
        unexplained = [
            float(np.mean((r.mean - r.theta)[:, column] ** 2 - r.std[:, column] ** 2))
            for r in left_out
        ]
        taus[name] = math.sqrt(max(0.0, float(np.mean(unexplained))))
    return taus


def widen(results: Results, disagreement: Disagreement) -> Results:
    """Add the disagreement to sigma in quadrature; means stay."""
    std = results.std.copy()
    for name in results.inferred:
        column = camels.PARAMETER_NAMES.index(name)
        std[:, column] = np.hypot(std[:, column], disagreement[name])
    return Results(results.theta, results.mean, std, results.inferred)
