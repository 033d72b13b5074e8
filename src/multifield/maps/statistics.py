"""A few numbers a map, which say much of what there is in it.

They are taken of the batches that a network gets: standardized log maps. Each gives a row a map.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from jaxtyping import Float64

from multifield import camels
from multifield.core.arrays import MapBatch
from multifield.maps.power_spectrum import power_spectrum

Statistic = Float64[np.ndarray, "_ _"]
"""Some numbers a map; a row a map."""


def channel_means(x: MapBatch) -> Statistic:
    """Mean of the pixels of each channel, (B, C)."""
    mean: Statistic = x.mean(axis=(2, 3), dtype=np.float64)
    return mean


def channel_spectra(x: MapBatch, n_bins: int) -> Statistic:
    """Power spectrum of each channel, channel after channel, (B, C n_bins).

    Parameters
    ----------
    x : (B, C, L, L) float32
    n_bins : int
        Of equal width, from the fundamental mode to Nyquist; see `power_spectrum`.

    Raises
    ------
    ValueError
        If there are more bins than half the pixels of a side.
    """
    channels = np.moveaxis(x, 1, 0)
    spectra = [power_spectrum(maps, camels.BOX_SIZE, n_bins)[1] for maps in channels]
    power: Statistic = np.concatenate(spectra, axis=1)
    return power


def channel_quantiles(x: MapBatch, levels: Sequence[float] | np.ndarray) -> Statistic:
    """Quantiles of the pixels of each channel, channel after channel, (B, C n_levels).

    As `numpy.quantile`, which partitions at each level: to sort once takes 0.3 ms a map of 256 pixels,
    not 1.4.
    """
    pixels = np.sort(x.reshape(*x.shape[:2], -1), axis=2)
    position = np.asarray(levels) * (pixels.shape[2] - 1)
    lower = np.floor(position).astype(np.int64)
    upper = np.minimum(lower + 1, pixels.shape[2] - 1)
    low, high = (pixels[:, :, each].astype(np.float64) for each in (lower, upper))
    flat: Statistic = (low + (position - lower) * (high - low)).reshape(len(pixels), -1)
    return flat


def channel_correlations(x: MapBatch) -> Statistic:
    """Correlation over the pixels of each pair of channels, (B, C (C - 1) / 2); 0 of an even map."""
    pairs = list(combinations(range(x.shape[1]), 2))
    correlations = np.zeros((len(x), len(pairs)))
    if not pairs:
        return correlations
    pixels = x.reshape(*x.shape[:2], -1).astype(np.float64)
    pixels -= pixels.mean(axis=2, keepdims=True)
    norm = np.sqrt(np.sum(pixels**2, axis=2))
    for column, (one, other) in enumerate(pairs):
        scale = norm[:, one] * norm[:, other]
        product = np.sum(pixels[:, one] * pixels[:, other], axis=1)
        np.divide(product, scale, out=correlations[:, column], where=scale > 0)
    return correlations
