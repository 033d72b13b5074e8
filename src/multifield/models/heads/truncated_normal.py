"""Gaussians truncated to an interval: probability, quantiles and moments, far into the tails.

All functions take float64. In standard units, the interval is from ``a`` to ``b``, with a < b. A
Gaussian whose mean is far outside the interval is close to an exponential, and one much wider than
the interval is uniform. Differences of the normal distribution function would be 0 or inaccurate in
both limits, so everything is computed from its logarithm.
"""

import math

import torch
from torch import Tensor

from multifield.models.heads.base import LOG_ROOT_TAU

NEWTON_STEPS = 4  # from an error below 10% to the rounding error
MATCHING_STEPS = 200
WIDEST = 2.0  # scale [prior range]; wider Gaussians are uniform to 3%
REACH = 2.0  # largest distance of a location from the prior range
LOG_SMALL = -5.0  # logarithm of a probability below which ndtri starts from its asymptote


def log_mass(a: Tensor, b: Tensor) -> Tensor:
    """Compute the logarithm of the standard normal probability between a and b.

    Parameters
    ----------
    a, b : (...) float64
        Ends of the interval, a < b.

    Returns
    -------
    log_mass : (...) float64
        Logarithm of the probability, with a gradient.
    """
    low, high = _mirror(a, b)
    log_high = torch.special.log_ndtr(high)
    # the probability below high, times the share of it that is above low
    found: Tensor = log_high + torch.log(-torch.expm1(torch.special.log_ndtr(low) - log_high))
    return found


def quantile(a: Tensor, b: Tensor, share: Tensor) -> Tensor:
    """Compute the quantile of a standard normal that is truncated to the interval from a to b.

    Parameters
    ----------
    a, b : (...) float64
        Ends of the interval, a < b.
    share : (...) float64
        Probability below the quantile, in (0, 1).

    Returns
    -------
    z : (...) float64
        Quantiles from a to b.
    """
    flip = a + b > 0
    low, high = _mirror(a, b)
    share = torch.where(flip, 1 - share, share)
    log_below = torch.logaddexp(
        torch.special.log_ndtr(low) + torch.log1p(-share),
        torch.special.log_ndtr(high) + share.log(),
    )
    z = torch.clamp(_inverse_log_ndtr(log_below), low, high)
    return torch.where(flip, -z, z)


def share_below(a: Tensor, b: Tensor, z: Tensor) -> Tensor:
    """Compute the probability below z, the inverse of `quantile`.

    Parameters
    ----------
    a, b : (...) float64
        Ends of the interval, a < b.
    z : (...) float64
        Points between a and b, which are excluded.

    Returns
    -------
    share : (...) float64
        Probabilities in (0, 1), with a gradient.
    """
    return torch.exp(log_mass(a, z) - log_mass(a, b))


def match_moments(mean: Tensor, std: Tensor) -> tuple[Tensor, Tensor]:
    """Find the Gaussians that have given moments after truncation to [0, 1].

    Parameters
    ----------
    mean, std : (...) float64
        Moments after truncation. A standard deviation that no truncated Gaussian with this mean has
        is replaced by the closest possible one.

    Returns
    -------
    location, scale : (...) float64
        Mean and standard deviation before truncation, the scale at most `WIDEST`.
    """
    target = mean.clamp(1e-3, 1 - 1e-3)
    location, log_scale = target.clone(), std.log()
    for _ in range(MATCHING_STEPS):
        scale = log_scale.exp()
        a, b = -location / scale, (1 - location) / scale
        at_a, at_b = (torch.exp(-0.5 * z.square() - LOG_ROOT_TAU - log_mass(a, b)) for z in (a, b))
        shift = at_a - at_b
        variance = 1 + a * at_a - b * at_b - shift.square()
        found = location + scale * shift
        of_width = (std / (scale * variance.clamp_min(1e-6).sqrt())).log()
        location = location + 0.5 * (target - found) / variance.clamp(0.1, 1)
        log_scale = (log_scale + 0.5 * of_width).clamp(max=math.log(WIDEST))
        location = location.clamp(-REACH, 1 + REACH)
    return location, log_scale.exp()


def _mirror(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Mirror an interval on the right of 0 to the left, where probabilities have full precision."""
    flip = a + b > 0
    return torch.where(flip, -b, a), torch.where(flip, -a, b)


def _inverse_log_ndtr(y: Tensor) -> Tensor:
    """Return z with log_ndtr(z) = y, for y < 0, by Newton's method in the tail."""
    y = y.clamp(max=-1e-16)
    z = torch.special.ndtri(y.exp())
    in_tail = y < LOG_SMALL
    tail = torch.where(in_tail, y, LOG_SMALL)
    x = -torch.sqrt(-2 * tail - torch.log(-4 * math.pi * tail))
    for _ in range(NEWTON_STEPS):
        # the derivative of log_ndtr
        slope = math.sqrt(2 / math.pi) / torch.special.erfcx(-x / math.sqrt(2))
        x = x - (torch.special.log_ndtr(x) - tail) / slope
    return torch.where(in_tail, x, z)
