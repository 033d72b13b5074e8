"""What is known of maps without learning: moments, and how scales and fields go together."""

import torch
from jaxtyping import Float
from torch import Tensor

from multifield.models.padding import pad_periodic

FLOOR = (
    1e-6  # of variances of standardized maps; keeps logarithms and ratios of an empty map finite
)
PER_CHANNEL = 10  # four moments of the map, four of its small scales, their size, their place


def count_statistics(channels: int) -> int:
    """Say how many numbers `map_statistics` gives."""
    return PER_CHANNEL * channels + channels * (channels - 1) // 2


def map_statistics(x: Float[Tensor, "B C L L"]) -> Float[Tensor, "B F"]:
    r"""Describe each map by numbers that are the same for all its shifts and orientations.

    Of the map, and of its small scales, which are the map less the map blurred by (1, 2, 1) / 4 along each
    axis: the mean, the logarithm of the variance, the skewness, the logarithm of the kurtosis. Then the
    logarithm of the mean size of the small scales; the correlation of their square with the map, which
    says whether there is more structure where there is more of the field; and the correlations of the
    small scales of each pair of fields.

    Parameters
    ----------
    x : (B, C, L, L)
        Standardized maps.

    Returns
    -------
    statistics : (B, F)
        In float32, F of `count_statistics`.

    Notes
    -----
    The correlation of small-scale power with the mean density is a squeezed bispectrum (Chiang et al. 2014,
    arXiv:1403.3411); here the density is the map's own at every pixel.
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
    """Blur periodic maps by (1, 2, 1) / 4 along each axis."""
    x = pad_periodic(x)
    x = 0.25 * (x[:, :, :-2] + x[:, :, 2:]) + 0.5 * x[:, :, 1:-1]
    return 0.25 * (x[..., :-2] + x[..., 2:]) + 0.5 * x[..., 1:-1]


def moments(x: Float[Tensor, "B C L L"]) -> tuple[Tensor, ...]:
    """Mean, logarithm of the variance, skewness and logarithm of the kurtosis, (B, C) each."""
    mean = x.mean(dim=(2, 3))
    deviation = x - mean[..., None, None]
    square = deviation.square()
    variance = square.mean(dim=(2, 3)) + FLOOR
    skewness = (square * deviation).mean(dim=(2, 3)) / variance**1.5
    kurtosis = (square.square().mean(dim=(2, 3)) + FLOOR**2) / variance.square()
    return mean, variance.log(), skewness, kurtosis.log()


def correlate(x: Float[Tensor, "B C L L"], y: Float[Tensor, "B C L L"]) -> Float[Tensor, "B C"]:
    """Correlation over the pixels of maps."""
    x, y = (each - each.mean(dim=(2, 3), keepdim=True) for each in (x, y))
    var_x, var_y = (each.square().mean(dim=(2, 3)) + FLOOR for each in (x, y))
    return (x * y).mean(dim=(2, 3)) / (var_x * var_y).sqrt()
