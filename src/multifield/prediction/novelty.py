"""Out-of-distribution flags: a distance from the training maps, with a calibrated p-value.

A map is reduced to summary statistics: quantiles of the pixels and ln of the power spectrum of each
field, and the correlation of each pair of fields. Let z be these n statistics, standardized over
the training maps, and R their correlation matrix over the training maps. The first distance is

    d_1 = sqrt(z^T R^-1 z / n),

about 1 for a training map. A factor on all pixels of a field adds the same number to all its
quantiles. This is one direction of n, so it changes d_1 little. The second distance has this
direction alone. Let y be the mean quantile of each field, minus its linear regression on power and
correlations, and C the covariance matrix of y over the training maps. Then

    d_2 = s sqrt(y^T C^-1 y).

The factor s is such that the share `level` of the training maps exceeds the same limit in both. The
distance d of a map is the larger of d_1 and d_2. The reference is not fitted to validation maps, so
their distances calibrate it. The p-value of a new map is

    p = (1 + number of validation maps with distance >= d) / (1 + number of validation maps).

At most the share `level` of maps that are drawn like the validation maps has p <= level (a
conformal p-value). The p-value of other maps has no guarantee: a large p does not prove that a map
is in-distribution.

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

# Smallest std of a statistic, above float32 rounding and differences between machines
LEAST_STD = 1e-3
LEAST_POWER = 1e-12  # keeps ln finite; standardized maps have variance 1, a constant map power 0
LARGEST_CORRELATION = 1 - 1e-6  # keeps arctanh finite for two equal fields
LEAST_EIGENVALUE = 1e-6  # relative to the largest eigenvalue; smaller ones are rounding

Numbers = tuple[FiniteFloat, ...]
Distances = Float64[np.ndarray, " N"]


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class NoveltyReference:
    """Summary statistics of the training maps, and distances of the validation maps.

    Attributes
    ----------
    n_bins, n_quantiles : int
        Numbers of power-spectrum bins and pixel quantiles per field, as in `NoveltyConfig`.
    level : float
        Largest share of maps like the validation maps that is flagged.
    mean, std : tuple of float
        Mean and standard deviation of each statistic over the training maps.
    valid_distances : tuple of float
        Distances of the validation maps, in ascending order.
    projections : tuple of tuple of tuple of float
        Matrices with one row per statistic. The distance is the largest length of z times one of
        them.
    """

    n_bins: int = Field(ge=1)
    n_quantiles: int = Field(ge=2)
    level: float = Field(gt=0, lt=1)
    mean: Numbers
    std: Numbers
    valid_distances: Numbers = Field(min_length=1)
    projections: tuple[tuple[Numbers, ...], ...] = Field(min_length=1)

    @property
    def false_alarms(self) -> float:
        """Expected share of flagged maps among maps like the validation maps.

        It is the larger of `level` and 1 / (n + 1) for n validation maps.
        """
        return max(self.level, 1 / (len(self.valid_distances) + 1))

    def distances(self, numbers: Statistic) -> Distances:
        """Compute the distance of each map from the training maps.

        Parameters
        ----------
        numbers : (N, D) float64
            Summary statistics of each map, from `measure`.

        Returns
        -------
        distances : (N,) float64
            Distance of each map, about 1 for a training map.
        """
        z = (numbers - np.array(self.mean)) / np.array(self.std)
        lengths = [np.linalg.norm(z @ np.array(each), axis=1) for each in self.projections]
        distances: Distances = np.max(lengths, axis=0)
        return distances

    def p_values(self, distances: Distances) -> Distances:
        """Compute the p-value of each distance; see the top of this module.

        Parameters
        ----------
        distances : (N,) float64
            Distance of each map.

        Returns
        -------
        p_values : (N,) float64
            p-value of each map.
        """
        n_valid = len(self.valid_distances)
        n_farther = n_valid - np.searchsorted(self.valid_distances, distances)
        p_values: Distances = (1 + n_farther) / (1 + n_valid)
        return p_values

    def flag(self, p_values: Distances) -> np.ndarray:
        """Flag maps as out-of-distribution.

        Parameters
        ----------
        p_values : (N,) float64
            p-value of each map.

        Returns
        -------
        flags : (N,) bool
            True for out-of-distribution maps.
        """
        flags: np.ndarray = p_values <= self.false_alarms * (1 + 1e-12)  # allow for rounding
        return flags


def fit_novelty(
    train: MapLoader, valid: MapLoader, config: NoveltyConfig, *, n_threads: int = 1
) -> NoveltyReference:
    """Fit the out-of-distribution reference to training maps and calibrate it on validation maps.

    Parameters
    ----------
    train, valid : MapLoader
        Training and validation maps. The statistics do not depend on orientation, so each map is
        read once.
    config : NoveltyConfig
        Numbers of bins and quantiles, and level of the flag.
    n_threads : int, optional
        Number of threads. 0 uses all cores. The result does not depend on it.

    Returns
    -------
    reference : NoveltyReference
        The reference.

    Raises
    ------
    ValueError
        If there are more bins than half the pixels per side.
    """
    with progress("novelty", len(train) + len(valid), "maps") as advance:
        of_train, of_valid = (
            measure(part, config.n_bins, config.n_quantiles, n_threads=n_threads, advance=advance)
            for part in (train, valid)
        )
    return fit_reference(of_train, of_valid, config, train.channels)


def fit_reference(
    of_train: Statistic, of_valid: Statistic, config: NoveltyConfig, n_fields: int
) -> NoveltyReference:
    """Fit the out-of-distribution reference to summary statistics; see `fit_novelty`.

    Parameters
    ----------
    of_train, of_valid : (N, D) float64
        Summary statistics of training and validation maps, from `measure`.
    config : NoveltyConfig
        Numbers of bins and quantiles, and level of the flag.
    n_fields : int
        Number of fields.

    Returns
    -------
    reference : NoveltyReference
        The reference.
    """
    mean = of_train.mean(axis=0)
    std = np.maximum(of_train.std(axis=0), LEAST_STD)
    z = (of_train - mean) / std
    every = _whitening(z) / np.sqrt(len(mean))
    offsets = _offsets(z, std, config.n_quantiles, n_fields)
    limits = [
        np.quantile(np.linalg.norm(z @ each, axis=1), 1 - config.level) for each in (every, offsets)
    ]
    projections = every, offsets * (limits[0] / limits[1])
    fitted = NoveltyReference(
        n_bins=config.n_bins,
        n_quantiles=config.n_quantiles,
        level=config.level,
        mean=tuple(mean.tolist()),
        std=tuple(std.tolist()),
        valid_distances=(0.0,),
        projections=tuple(tuple(map(tuple, each.tolist())) for each in projections),
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
    """Compute the summary statistics of each map of a loader, with one batch in memory at a time.

    Parameters
    ----------
    loader : MapLoader
        The N maps, each in one orientation.
    n_bins, n_quantiles : int
        Numbers of power-spectrum bins and pixel quantiles per field.
    n_threads : int, optional
        Number of threads. 0 uses all cores. The result does not depend on it.
    advance : callable, optional
        Function that receives the number of maps done after each batch.

    Returns
    -------
    statistic : (N, D) float64
        Quantiles and log power of each field, and arctanh of the correlation of each pair of
        fields.
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


def _whitening(x: Statistic) -> Float64[np.ndarray, "D D"]:
    """Return the matrix that makes columns of mean 0 uncorrelated, with variance 1."""
    scale, axes = np.linalg.eigh(x.T @ x / len(x))
    whitening: np.ndarray = axes / np.sqrt(np.maximum(scale, LEAST_EIGENVALUE * scale[-1]))
    return whitening


def _offsets(
    z: Statistic, std: Float64[np.ndarray, " D"], n_quantiles: int, n_fields: int
) -> Float64[np.ndarray, "D F"]:
    """Return the matrix from standardized statistics to whitened offsets of all fields."""
    n = n_fields * n_quantiles  # quantiles precede power and correlations
    means = np.zeros((z.shape[1], n_fields))
    for field in range(n_fields):
        quantiles = slice(field * n_quantiles, (field + 1) * n_quantiles)
        means[quantiles, field] = std[quantiles] / n_quantiles
    means[n:] = -np.linalg.lstsq(z[:, n:], z @ means, rcond=LEAST_EIGENVALUE**0.5)[0]
    offsets: np.ndarray = means @ _whitening(z @ means)
    return offsets


def _numbers(x: MapBatch, n_bins: int, n_quantiles: int) -> Statistic:
    quantiles = channel_quantiles(x, np.linspace(0, 1, n_quantiles))
    ln_power = np.log(np.maximum(channel_spectra(x, n_bins), LEAST_POWER))
    correlations = channel_correlations(x)
    bounded = np.clip(correlations, -LARGEST_CORRELATION, LARGEST_CORRELATION)
    return np.concatenate([quantiles, ln_power, np.arctanh(bounded)], axis=1)
