"""Fixed statistics of maps: moments, and correlations between scales and between fields."""

import torch
from jaxtyping import Float
from torch import Tensor

from multifield.models.padding import pad_periodic

FLOOR = 1e-6  # of variances of standardized maps; keeps logarithms and ratios finite
PER_CHANNEL = 10  # four moments of the map, four of its small scales, their size, their correlation


def count_statistics(channels: int) -> int:
    """Return the number of features that `map_statistics` computes."""
    return PER_CHANNEL * channels + channels * (channels - 1) // 2


def map_statistics(x: Float[Tensor, "B C L L"]) -> Float[Tensor, "B F"]:
    r"""Compute statistics of each map that are invariant under shifts and orientations.

    The small scales are the map minus the map blurred with (1, 2, 1) / 4 along each axis. The
    statistics are:

    - mean, logarithm of the variance, skewness and logarithm of the kurtosis, of the map and of its
      small scales;
    - the logarithm of the mean absolute value of the small scales;
    - the correlation of their square with the map: positive if dense regions have more structure;
    - the correlation of the small scales of each pair of fields.

    Parameters
    ----------
    x : (B, C, L, L)
        Standardized maps.

    Returns
    -------
    statistics : (B, F)
        Statistics in float32; F is given by `count_statistics`.

    Notes
    -----
    The correlation of small-scale power with the mean density is a squeezed bispectrum (Chiang et
    al. 2014, arXiv:1403.3411). Here the density is that of the map at each pixel.
    """
    with torch.autocast(x.device.type, enabled=False):
        x = x.float()
        small = x - blur(x)
        size = (small.abs().mean(dim=(2, 3)) + FLOOR).log()
        place = correlate(small.square(), x)
        features = [*moments(x), *moments(small), size, place]
        first, second = torch.triu_indices(x.shape[1], x.shape[1], 1, device=x.device)
        features.append(correlate(small[:, first], small[:, second]))
    return torch.cat(features, dim=1)


def blur(x: Float[Tensor, "B C L L"]) -> Float[Tensor, "B C L L"]:
    """Blur periodic maps with (1, 2, 1) / 4 along each axis."""
    x = pad_periodic(x)
    x = 0.25 * (x[:, :, :-2] + x[:, :, 2:]) + 0.5 * x[:, :, 1:-1]
    return 0.25 * (x[..., :-2] + x[..., 2:]) + 0.5 * x[..., 1:-1]


def moments(x: Float[Tensor, "B C L L"]) -> tuple[Tensor, ...]:
    """Return mean, log variance, skewness and log kurtosis of each map, (B, C) each."""
    mean = x.mean(dim=(2, 3))
    deviation = x - mean[..., None, None]
    square = deviation.square()
    variance = square.mean(dim=(2, 3)) + FLOOR
    skewness = (square * deviation).mean(dim=(2, 3)) / variance**1.5
    kurtosis = (square.square().mean(dim=(2, 3)) + FLOOR**2) / variance.square()
    return mean, variance.log(), skewness, kurtosis.log()


def correlate(x: Float[Tensor, "B C L L"], y: Float[Tensor, "B C L L"]) -> Float[Tensor, "B C"]:
    """Return the correlation coefficient of two maps over their pixels."""
    x, y = (each - each.mean(dim=(2, 3), keepdim=True) for each in (x, y))
    var_x, var_y = (each.square().mean(dim=(2, 3)) + FLOOR for each in (x, y))
    return (x * y).mean(dim=(2, 3)) / (var_x * var_y).sqrt()
