"""Fixed statistics of maps beyond moments: tails, contours and coupling of scales."""

from collections.abc import Sequence
from math import log

import torch
from jaxtyping import Float
from torch import Tensor

from multifield.models.map_statistics import FLOOR, blur, correlate, moments

EXPONENTS = (-2.0, -1.0, -0.5, 0.5, 1.0, 1.5, 2.0)  # for standardized logarithms of fields
HEIGHTS = (-1.0, 0.0, 1.0, 2.0)  # of contours, in standard deviations of all maps
HEIGHT_WIDTH = 0.5  # of the band of heights around a contour
LENGTH_FLOOR = 1e-4  # of contours [per pixel], for heights that a map does not reach
GRADIENT_FLOOR = 1e-6  # of the squared gradient
PER_LEVEL = 4 + 3 * len(HEIGHTS)  # features per channel from `contours`
PER_PAIR = 2  # features per channel and pair of levels from `couple_scales`


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


def contours(x: Float[Tensor, "B C L L"]) -> Float[Tensor, "B F"]:
    """Compute statistics of the gradient and of contour lines.

    For the absolute value of the gradient: the logarithms of mean and variance, the skewness, and
    the correlation with the map. For each height in `HEIGHTS`: the area above it, the logarithm of
    the length of its contours, and the mean Laplacian on them. The Laplacian tells whether contours
    enclose peaks or voids.

    Parameters
    ----------
    x : (B, C, L, L)
        Standardized maps.

    Returns
    -------
    statistics : (B, F)
        `PER_LEVEL` values per channel.

    Notes
    -----
    Area, length and total curvature are the Minkowski functionals of a map (Schmalzing & Gorski
    1998, arXiv:astro-ph/9710185). Contour lines are approximated by bands of heights.
    """
    right, left, down, up = x.roll(-1, 3), x.roll(1, 3), x.roll(-1, 2), x.roll(1, 2)
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


def couple_scales(levels: Sequence[Tensor], halve: torch.nn.Module) -> Float[Tensor, "B F"]:
    """Measure how small-scale power correlates with the map on larger scales.

    Parameters
    ----------
    levels : sequence of (B, C, L / 2^k, L / 2^k)
        Pyramid of maps.
    halve : Module
        Operation that halves a map.

    Returns
    -------
    coupling : (B, F)
        Two values per channel and pair of levels: mean products of the relative excess of the finer
        level's small-scale power with the standardized coarser map, and with its square.
    """
    found = []
    for k, level in enumerate(levels[:-1]):
        power = (level - blur(level)).square()
        for coarse in levels[k + 1 :]:
            power = halve(power)
            mean = power.mean(dim=(2, 3), keepdim=True)
            excess = (power - mean) / (mean + FLOOR)
            height = coarse - coarse.mean(dim=(2, 3), keepdim=True)
            height = height / (height.square().mean(dim=(2, 3), keepdim=True) + FLOOR).sqrt()
            found += [(excess * height).mean(dim=(2, 3)), (excess * height.square()).mean((2, 3))]
    return torch.cat(found, dim=1)
