"""Fixed statistics of maps: moments, correlations, tails, contours and coupling of scales."""

from collections.abc import Sequence
from math import log

import torch
from jaxtyping import Float
from torch import Tensor

from multifield.models.padding import Pad, pad_periodic
from multifield.models.pyramid import Halve

FLOOR = 1e-6  # of variances of standardized maps; keeps logarithms and ratios finite
PER_CHANNEL = 10  # four moments of the map, four of its small scales, their size, their correlation
EXPONENTS = (-2.0, -1.0, -0.5, 0.5, 1.0, 1.5, 2.0)  # for standardized logarithms of fields
HEIGHTS = (-1.0, 0.0, 1.0, 2.0)  # of contours, in standard deviations of all maps
HEIGHT_WIDTH = 0.5  # of the band of heights around a contour
LENGTH_FLOOR = 1e-4  # of contours [per pixel], for heights that a map does not reach
GRADIENT_FLOOR = 1e-6  # of the squared gradient
PER_LEVEL = 4 + 3 * len(HEIGHTS)  # features per channel from `contours`
PER_PAIR = 2  # features per channel and pair of levels from `couple_scales`


def count_statistics(channels: int) -> int:
    """Return the number of features that `map_statistics` computes."""
    return PER_CHANNEL * channels + channels * (channels - 1) // 2


def map_statistics(x: Float[Tensor, "B C L L"], pad: Pad = pad_periodic) -> Float[Tensor, "B F"]:
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
    pad : Pad, optional
        Padding of the maps at their edges.

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
        small = x - blur(x, pad)
        size = (small.abs().mean(dim=(2, 3)) + FLOOR).log()
        place = correlate(small.square(), x)
        features = [*moments(x), *moments(small), size, place]
        first, second = torch.triu_indices(x.shape[1], x.shape[1], 1, device=x.device)
        features.append(correlate(small[:, first], small[:, second]))
    return torch.cat(features, dim=1)


def blur(x: Float[Tensor, "B C L L"], pad: Pad) -> Float[Tensor, "B C L L"]:
    """Blur maps with (1, 2, 1) / 4 along each axis."""
    x = pad(x)
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


def tails(x: Float[Tensor, "B C L L"]) -> Float[Tensor, "B F"]:
    r"""Compute cumulant generating functions, :math:`\ln \langle e^{a x} \rangle / a`.

    If the map is the logarithm of a field, they are logarithms of mean powers of the field.
    Positive a weight dense regions, negative a weight voids.

    Parameters
    ----------
    x : (B, C, L, L)
        Standardized maps.

    Returns
    -------
    tails : (B, F)
        One value per channel and per exponent a in `EXPONENTS`.
    """
    x = x.flatten(2)
    log_pixels = log(x.shape[2])
    return torch.cat([((a * x).logsumexp(dim=2) - log_pixels) / a for a in EXPONENTS], dim=1)


def contours(x: Float[Tensor, "B C L L"], pad: Pad = pad_periodic) -> Float[Tensor, "B F"]:
    """Compute statistics of the gradient and of contour lines.

    For the absolute value of the gradient: the logarithms of mean and variance, the skewness, and
    the correlation with the map. For each height in `HEIGHTS`: the area above it, the logarithm of
    the length of its contours, and the mean Laplacian on them. The Laplacian tells whether contours
    enclose peaks or voids.

    Parameters
    ----------
    x : (B, C, L, L)
        Standardized maps.
    pad : Pad, optional
        Padding of the maps at their edges.

    Returns
    -------
    statistics : (B, F)
        `PER_LEVEL` values per channel.

    Notes
    -----
    Area, length and total curvature are the Minkowski functionals of a map (Schmalzing & Gorski
    1998, arXiv:astro-ph/9710185). Contour lines are approximated by bands of heights.
    """
    padded = pad(x)
    left, right = padded[:, :, 1:-1, :-2], padded[:, :, 1:-1, 2:]
    up, down = padded[:, :, :-2, 1:-1], padded[:, :, 2:, 1:-1]
    slope = (((right - left) / 2).square() + ((down - up) / 2).square() + GRADIENT_FLOOR).sqrt()
    laplacian = right + left + down + up - 4 * x
    mean, log_variance, skewness, _ = moments(slope)
    found = [mean.log(), log_variance, skewness, correlate(slope, x)]
    for height in HEIGHTS:
        above = (x - height) / HEIGHT_WIDTH
        near = torch.exp(-0.5 * above.square())
        found.append(torch.sigmoid(above).mean(dim=(2, 3)))
        found.append(((near * slope).mean(dim=(2, 3)) + LENGTH_FLOOR).log())
        found.append((near * laplacian).mean(dim=(2, 3)))
    return torch.cat(found, dim=1)


def couple_scales(levels: Sequence[Tensor], halve: Halve) -> Float[Tensor, "B F"]:
    """Measure how small-scale power correlates with the map on larger scales.

    Parameters
    ----------
    levels : sequence of (B, C, L / 2^k, L / 2^k)
        Pyramid of maps.
    halve : Halve
        Operation that halves a map, with its padding.

    Returns
    -------
    coupling : (B, F)
        Two values per channel and pair of levels: mean products of the relative excess of the finer
        level's small-scale power with the standardized coarser map, and with its square.
    """
    found = []
    for k, level in enumerate(levels[:-1]):
        power = (level - blur(level, halve.pad)).square()
        for coarse in levels[k + 1 :]:
            power = halve(power)
            mean = power.mean(dim=(2, 3), keepdim=True)
            excess = (power - mean) / (mean + FLOOR)
            height = coarse - coarse.mean(dim=(2, 3), keepdim=True)
            height = height / (height.square().mean(dim=(2, 3), keepdim=True) + FLOOR).sqrt()
            found += [(excess * height).mean(dim=(2, 3)), (excess * height.square()).mean((2, 3))]
    return torch.cat(found, dim=1)
