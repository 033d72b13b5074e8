"""Is a map unlike those that a network was trained on? A distance with a stated meaning.

A map is reduced to a few numbers: quantiles of the pixels and ln of the power spectrum of each field, and
the correlation of each pair of fields. With z these numbers, standardized over the training maps, and R
their correlation matrix there, the distance of a map is

    d = sqrt(z^T R^-1 z / n),    n numbers a map,

about 1 for a training map. Validation maps, which the reference is not fitted to, say how large it is for
maps of the same kind: the p-value of a new map is

    p = (1 + number of validation maps at d or farther) / (1 + number of validation maps),

so that of maps drawn as the validation maps are, at most a share `level` has p <= level (a conformal
p-value). What a map of another kind gets is not known; a large p does not prove that a map is like the
training's.

References
----------
Laxhammar & Falkman 2010, Conformal prediction for distribution-independent anomaly detection.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from functools import partial

import numpy as np
from jaxtyping import Float64
from pydantic import ConfigDict, Field, FiniteFloat
from pydantic.dataclasses import dataclass

from multifield.config.prediction import NoveltyConfig
from multifield.core.arrays import MapBatch
from multifield.core.progress import progress
from multifield.core.threads import available_threads
from multifield.data.loader import MapLoader
from multifield.maps.statistics import (
    Statistic,
    channel_correlations,
    channel_quantiles,
    channel_spectra,
)

# In standard deviations of a pixel, or in ln: numbers that vary less are taken to vary by this, which is
# above the rounding of float32 and what two machines differ by
LEAST_STD = 1e-3
# Of the power of standardized maps, whose variance is about 1: an even map has none, and is far from all
# others with this
LEAST_POWER = 1e-12
LARGEST_CORRELATION = 1 - 1e-6  # two equal fields would be infinitely far
# Of the largest eigenvalue of R. Directions in which training maps do not vary by more are rounding
LEAST_EIGENVALUE = 1e-6

Numbers = tuple[FiniteFloat, ...]
Distances = Float64[np.ndarray, " N"]


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class NoveltyReference:
    """Training maps in numbers, and how far validation maps are from them.

    Attributes
    ----------
    n_bins, n_quantiles : int
        As `NoveltyConfig`; they say which numbers a map is reduced to.
    level : float
        Share of maps like the validation maps that may be flagged.
    mean, std : tuple of float
        Of each number over the training maps.
    valid_distances : tuple of float
        Of the validation maps, ascending.
    precision : tuple of tuple of float
        Inverse of the correlation matrix of the numbers over the training maps.
    """

    n_bins: int = Field(ge=1)
    n_quantiles: int = Field(ge=2)
    level: float = Field(gt=0, lt=1)
    mean: Numbers
    std: Numbers
    valid_distances: Numbers = Field(min_length=1)
    precision: tuple[Numbers, ...]

    @property
    def false_alarms(self) -> float:
        """Share of maps like the validation maps that `flag` picks: `level`, or 1 / (n + 1) if more."""
        return max(self.level, 1 / (len(self.valid_distances) + 1))

    def distances(self, numbers: Statistic) -> Distances:
        """Distance of each map from the training maps, about 1 for one of them."""
        z = (numbers - np.array(self.mean)) / np.array(self.std)
        squares = np.einsum("ij,jk,ik->i", z, np.array(self.precision), z)
        distances: Distances = np.sqrt(squares / len(self.mean))
        return distances

    def p_values(self, distances: Distances) -> Distances:
        """Share of maps like the validation maps that are as far, see the module."""
        n_valid = len(self.valid_distances)
        n_farther = n_valid - np.searchsorted(self.valid_distances, distances)
        p_values: Distances = (1 + n_farther) / (1 + n_valid)
        return p_values

    def flag(self, p_values: Distances) -> np.ndarray:
        """Say of each map whether it is unlike the training maps."""
        flags: np.ndarray = p_values <= self.false_alarms * (1 + 1e-12)  # equal, but for rounding
        return flags


def fit_novelty(
    train: MapLoader, valid: MapLoader, config: NoveltyConfig, *, n_threads: int = 1
) -> NoveltyReference:
    """Learn what training maps are like, and how far validation maps are from them.

    Parameters
    ----------
    train, valid : MapLoader
        Each map is looked at once, in one orientation: the numbers have no other.
    config : NoveltyConfig
    n_threads : int, optional
        0 for all cores; the result does not depend on it.

    Returns
    -------
    reference : NoveltyReference

    Raises
    ------
    ValueError
        If there are more bins than half the pixels of a side.
    """
    with progress("novelty", len(train) + len(valid), "maps") as advance:
        of_train, of_valid = (
            measure(part, config.n_bins, config.n_quantiles, n_threads=n_threads, advance=advance)
            for part in (train, valid)
        )
    mean = of_train.mean(axis=0)
    std = np.maximum(of_train.std(axis=0), LEAST_STD)
    z = (of_train - mean) / std
    scale, axes = np.linalg.eigh(z.T @ z / len(z))
    scale = np.maximum(scale, LEAST_EIGENVALUE * scale[-1])
    fitted = NoveltyReference(
        n_bins=config.n_bins,
        n_quantiles=config.n_quantiles,
        level=config.level,
        mean=tuple(mean.tolist()),
        std=tuple(std.tolist()),
        valid_distances=(0.0,),
        precision=tuple(tuple(row) for row in ((axes / scale) @ axes.T).tolist()),
    )
    return replace(fitted, valid_distances=tuple(np.sort(fitted.distances(of_valid)).tolist()))


def measure(
    loader: MapLoader,
    n_bins: int,
    n_quantiles: int,
    *,
    n_threads: int = 1,
    advance: Callable[[int], None] = lambda _: None,
) -> Statistic:
    """Reduce each map of a loader to numbers, in its order; a batch in memory at a time.

    Parameters
    ----------
    loader : MapLoader
        Its N maps are looked at in one orientation.
    n_bins, n_quantiles : int
        Of the power spectrum and of the pixels of each field.
    n_threads : int, optional
        0: all cores. The numbers do not depend on it.
    advance : callable, optional
        Told how many maps are done with each batch.

    Returns
    -------
    statistic : (N, D) float64
        Quantiles and logarithms of the power of each field, and the correlation of each pair of fields.
    """
    n_parts = available_threads(n_threads)
    reduce = partial(_numbers, n_bins=n_bins, n_quantiles=n_quantiles)
    rows: list[Statistic] = []
    with closing(loader.ordered([0])) as batches, ThreadPoolExecutor(n_parts) as pool:
        for batch in batches:
            parts = np.array_split(batch.x, min(n_parts, len(batch.index)))
            rows += pool.map(reduce, parts)
            advance(len(batch.index))
    return np.concatenate(rows)


def _numbers(x: MapBatch, n_bins: int, n_quantiles: int) -> Statistic:
    quantiles = channel_quantiles(x, np.linspace(0, 1, n_quantiles))
    ln_power = np.log(np.maximum(channel_spectra(x, n_bins), LEAST_POWER))
    correlations = channel_correlations(x)
    bounded = np.clip(correlations, -LARGEST_CORRELATION, LARGEST_CORRELATION)
    return np.concatenate([quantiles, ln_power, np.arctanh(bounded)], axis=1)
