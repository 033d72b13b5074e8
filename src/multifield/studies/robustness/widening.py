"""Sigma with what suites disagree about: an error that no suite can see by itself."""

import math
from collections.abc import Sequence

import numpy as np

from multifield import camels
from multifield.evaluation import Results

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
