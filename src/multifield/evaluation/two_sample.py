"""Two-sample test: whether two sets of simulations are drawn from one distribution.

The distance of two sets is the maximum mean discrepancy (MMD) of features of their maps,

    MMD^2 = mean k(x, x') + mean k(y, y') - 2 mean k(x, y),

with a Gaussian kernel k. Its width is the median distance of all pairs of maps. Features are
whitened over both sets: divided by their standard deviations, then rotated to the principal axes of
their correlation matrix and divided by the standard deviations along them. Otherwise the few
directions that the parameters of the simulations change would hide all others.

Maps of one simulation are similar. Simulations are therefore exchanged between the sets as a whole.
The p-value is exact if all simulations have equally many maps.

References
----------
Gretton et al. 2012, A Kernel Two-Sample Test.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.spatial.distance import pdist, squareform

LEAST_EIGENVALUE = 1e-3  # relative to the largest of the correlation matrix; the rest is left out
ROUNDING = 1e-9  # relative; equal partitions in another order differ by less


@dataclass(frozen=True)
class TwoSampleTest:
    """Result of a two-sample test.

    Attributes
    ----------
    mmd : float
        Maximum mean discrepancy of both sets, from 0 to 1.4.
    mmd_alike : float
        Its median over random partitions of all simulations: the value for sets that are alike.
    p_value : float
        Share of the partitions, with that of the sets, whose discrepancy is at least as large.
    """

    mmd: float
    mmd_alike: float
    p_value: float


def compare_sets(
    reference: Float64[np.ndarray, "S M F"],
    new: Float64[np.ndarray, "T M F"],
    *,
    n_permutations: int = 999,
    seed: int = 1,
) -> TwoSampleTest:
    """Test whether two sets of simulations are drawn from one distribution.

    Parameters
    ----------
    reference : (S, M, F) float64
        Features of M maps of each simulation of one set.
    new : (T, M, F) float64
        Features of M maps of each simulation of the other set.
    n_permutations : int, optional
        Number of random partitions of the simulations, n. The least p-value is 1 / (n + 1).
    seed : int, optional
        Seed of the partitions.

    Returns
    -------
    test : TwoSampleTest
        Distance of the sets and p-value.
    """
    n_reference, n_new, n_maps = len(reference), len(new), reference.shape[1]
    maps = np.concatenate([reference, new]).reshape((n_reference + n_new) * n_maps, -1)
    squares = pdist(_whiten(maps), "sqeuclidean")
    width = np.median(squares) or 1.0  # most maps may be equal
    kernel = squareform(np.exp(-squares / (2 * width))) + np.eye(len(maps))
    of_simulations = kernel.reshape(-1, n_maps, n_reference + n_new, n_maps).mean(axis=(1, 3))
    weights = np.repeat([-1 / n_reference, 1 / n_new], [n_reference, n_new])
    rows = np.tile(weights, (n_permutations, 1))
    partitions = np.vstack([weights, np.random.default_rng(seed).permuted(rows, axis=1)])
    mmd_squares = np.maximum(0, np.sum((partitions @ of_simulations) * partitions, axis=1))
    found, others = mmd_squares[0], mmd_squares[1:]
    n_farther = int(np.count_nonzero(others >= found * (1 - ROUNDING)))
    return TwoSampleTest(
        mmd=float(np.sqrt(found)),
        mmd_alike=float(np.sqrt(np.median(others))),
        p_value=(1 + n_farther) / (1 + n_permutations),
    )


def _whiten(maps: Float64[np.ndarray, "N F"]) -> Float64[np.ndarray, "N K"]:
    spread = maps.std(axis=0)
    z = (maps - maps.mean(axis=0)) / np.where(spread > 0, spread, 1)
    variances, axes = np.linalg.eigh(z.T @ z / len(z))
    kept = variances >= max(LEAST_EIGENVALUE * variances[-1], ROUNDING)
    whitened: np.ndarray = z @ axes[:, kept] / np.sqrt(variances[kept])
    return whitened
