"""What is known of maps without learning, beyond moments: tails, contours, and how scales go together."""

from collections.abc import Sequence
from math import log

import torch
from jaxtyping import Float
from torch import Tensor

from multifield.models.map_statistics import FLOOR, blur, correlate, moments

EXPONENTS = (-2.0, -1.0, -0.5, 0.5, 1.0, 1.5, 2.0)  # of standardized logarithms of fields
HEIGHTS = (-1.0, 0.0, 1.0, 2.0)  # of contours, in standard deviations of all maps
HEIGHT_WIDTH = 0.5  # of the band of heights about a contour
LENGTH_FLOOR = 1e-4  # of contours [per pixel]; a map may have none so high
GRADIENT_FLOOR = 1e-6  # of its square
PER_LEVEL = 4 + 3 * len(HEIGHTS)  # that `contours` gives of a channel
PER_PAIR = 2  # of levels, that `couple_scales` gives of a channel


def tails(x: Float[Tensor, "B C L L"]) -> Float[Tensor, "B F"]:
    r"""Cumulant generating functions, :math:`\ln \langle e^{a x} \rangle / a` for some a of both signs.

    Of logarithms of fields these are logarithms of means of powers of the field itself: those of dense
    regions for a > 0, of voids for a < 0.
    """
    x = x.flatten(2)
    log_pixels = log(x.shape[2])
    return torch.cat([((a * x).logsumexp(dim=2) - log_pixels) / a for a in EXPONENTS], dim=1)


def contours(x: Float[Tensor, "B C L L"]) -> Float[Tensor, "B F"]:
    """Describe slopes and lines of equal height.

    Of the size of the gradient: the logarithms of mean and variance, the skewness, the correlation with the
    map. For some heights: the area above it; the logarithm of the length of its contours; and the mean
    Laplacian on them, which says whether they close around peaks or around voids.

    Notes
    -----
    Area, length and total curvature are the Minkowski functionals of a map (Schmalzing & Gorski 1998,
    arXiv:astro-ph/9710185); bands of heights stand for lines here.
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
    """Say how much structure there is on small scales where there is more of the field on larger ones.

    Parameters
    ----------
    levels : sequence of (B, C, L / 2^k, L / 2^k)
        Maps, halved again and again.
    halve : Module
        That did it.

    Returns
    -------
    coupling : (B, F)
        For each two levels, mean products of the small-scale power of the finer one, as a fraction of its
        mean, with the coarser map and with its square, in its standard deviation.
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
