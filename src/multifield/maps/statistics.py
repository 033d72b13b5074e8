"""Summary statistics of batches of standardized log maps, one row per map."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from jaxtyping import Float64

from multifield import camels
from multifield.core.arrays import MapBatch
from multifield.maps.power_spectrum import power_spectrum

Statistic = Float64[np.ndarray, "_ _"]
"""Summary statistics, one row per map."""


def channel_means(x: MapBatch) -> Statistic:
    """Return the mean of the pixels of each channel, (B, C)."""
    mean: Statistic = x.mean(axis=(2, 3), dtype=np.float64)
    return mean


def channel_spectra(x: MapBatch, n_bins: int) -> Statistic:
    """Return the power spectrum of each channel.

    Parameters
    ----------
    x : (B, C, L, L) float32
        Batch of maps.
    n_bins : int
        Number of bins of equal width, from the fundamental mode to Nyquist; see `power_spectrum`.

    Returns
    -------
    power : (B, C n_bins) float64
        Power in each bin, channel by channel.

    Raises
    ------
    ValueError
        If `n_bins` exceeds L // 2.
    """
    channels = np.moveaxis(x, 1, 0)
    spectra = [power_spectrum(maps, camels.BOX_SIZE, n_bins)[1] for maps in channels]
    power: Statistic = np.concatenate(spectra, axis=1)
    return power


def channel_quantiles(x: MapBatch, levels: Sequence[float] | np.ndarray) -> Statistic:
    """Return quantiles of the pixels of each channel.

    Equal to `numpy.quantile`, which partitions the pixels once per level. One sort takes 0.3 ms per
    map of 256 pixels instead of 1.4 ms.

    Parameters
    ----------
    x : (B, C, L, L) float32
        Batch of maps.
    levels : sequence of float
        Levels of the quantiles, from 0 to 1.

    Returns
    -------
    quantiles : (B, C n_levels) float64
        Quantiles, channel by channel.
    """
    pixels = np.sort(x.reshape(*x.shape[:2], -1), axis=2)
    position = np.asarray(levels) * (pixels.shape[2] - 1)
    lower = np.floor(position).astype(np.int64)
    upper = np.minimum(lower + 1, pixels.shape[2] - 1)
    low, high = (pixels[:, :, each].astype(np.float64) for each in (lower, upper))
    flat: Statistic = (low + (position - lower) * (high - low)).reshape(len(pixels), -1)
    return flat


def channel_correlations(x: MapBatch) -> Statistic:
    """Return the correlation coefficient of each pair of channels.

    Parameters
    ----------
    x : (B, C, L, L) float32
        Batch of maps.

    Returns
    -------
    correlations : (B, C (C - 1) / 2) float64
        Correlation over the pixels. It is 0 if a channel is constant.
    """
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
