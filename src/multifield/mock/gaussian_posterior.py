"""Exact posterior of `MockGaussian` maps: the best result that a network can reach.

The posterior is the likelihood of `gaussian_likelihood` times a flat prior over the latin
hypercube. It is integrated by quadrature.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy.polynomial import chebyshev

from multifield.mock.gaussian_likelihood import (
    OFFSET,
    PRIOR_HIGH,
    PRIOR_LOW,
    SCALE,
    Array,
    Cosmology,
    Statistics,
)

DEPTH = 40.0  # e-foldings below the peak at which integrals end: 4e-18, or 9 sigma
N_NODES = 64  # Gauss-Legendre nodes over these 18 sigma; 48 nodes agree to 1e-11 sigma
N_CHEBYSHEV = 64  # Chebyshev terms of ln T over the prior; 4e-10 sigma at 256 pixels
N_GRID = 33  # points of each zoom that finds the peak
N_ZOOMS = 4  # each zoom narrows up to 16 times: a peak may be 65,000 times narrower than the prior
MAPS_AT_ONCE = 256  # 8 MB per table of nodes


@dataclass(frozen=True, eq=False)
class Posterior:
    """First two moments of the posterior of each map.

    Attributes
    ----------
    mean : (M, 2) float64
        Posterior means of Omega_m and sigma_8.
    covariance : (M, 2, 2) float64
        Posterior covariances.
    """

    mean: Cosmology
    covariance: Array

    @property
    def std(self) -> Cosmology:
        """Standard deviations, (M, 2)."""
        std: Cosmology = np.sqrt(np.diagonal(self.covariance, axis1=1, axis2=2))
        return std


def posterior(statistics: Statistics) -> Posterior:
    """Compute mean and covariance of the posterior of each map, by quadrature.

    Parameters
    ----------
    statistics : Statistics
        Sufficient statistics of maps from the latin hypercube.

    Returns
    -------
    posterior : Posterior
        Moments, accurate to 1e-6 standard deviations; tests compare them with a fine grid.
    """
    parts = [_moments(_Likelihood(statistics.part(rows))) for rows in _slices(statistics)]
    mean, covariance = (np.concatenate(each) for each in zip(*parts, strict=True))
    return Posterior((mean - OFFSET) / SCALE, covariance / np.outer(SCALE, SCALE))


# ---- quadrature ----


def _slices(statistics: Statistics) -> list[slice]:
    firsts = range(0, len(statistics), MAPS_AT_ONCE)
    return [slice(first, first + MAPS_AT_ONCE) for first in firsts]


class _Likelihood:
    """Log-likelihood ln L(n, a) of each map for slopes in the prior, with interpolated ln T(n)."""

    def __init__(self, statistics: Statistics) -> None:
        self.n_modes = float(statistics.n_modes.sum())
        self._sum_x = float(statistics.n_modes @ statistics.x)
        self._middle = (PRIOR_HIGH[0] + PRIOR_LOW[0]) / 2.0
        self._half = (PRIOR_HIGH[0] - PRIOR_LOW[0]) / 2.0
        points = chebyshev.chebpts1(N_CHEBYSHEV)
        slopes = self._middle + self._half * points
        weighted = statistics.power * statistics.n_modes
        ln_t = np.log(weighted @ np.exp(-np.outer(statistics.x, slopes)))
        basis = chebyshev.chebvander(points, N_CHEBYSHEV - 1)
        norm = np.where(np.arange(N_CHEBYSHEV) == 0, 1.0, 2.0) / N_CHEBYSHEV
        self._coefficients = norm[:, None, None] * (ln_t @ basis).T[:, :, None]  # (degree, M, 1)

    def __len__(self) -> int:
        return int(self._coefficients.shape[1])

    def ln_t(self, slope: Array) -> Array:
        """Interpolate ln T at slopes (M, G)."""
        scaled = (slope - self._middle) / self._half
        value: Array = chebyshev.chebval(scaled, self._coefficients, tensor=False)
        return value

    def at(self, slope: Array, ln_t: Array, amplitude: Array) -> Array:
        """Evaluate ln L on arrays that broadcast."""
        value: Array = -0.5 * (
            self.n_modes * amplitude + self._sum_x * slope + np.exp(ln_t - amplitude)
        )
        return value

    def profile(self, slope: Array, top: Array) -> Array:
        """Maximize ln L over the amplitudes of the prior up to `top`, at slopes (M, G)."""
        ln_t = self.ln_t(slope)
        best = np.clip(ln_t - np.log(self.n_modes), PRIOR_LOW[1], top)
        return self.at(slope, ln_t, best)


def _support(log_density: Callable[[Array], Array], low: Array, high: Array) -> tuple[Array, Array]:
    """Narrow intervals (...) to where a concave log density is within `DEPTH` of its peak."""
    for _ in range(N_ZOOMS):
        grid = np.linspace(low, high, N_GRID, axis=-1)
        value = log_density(grid)
        inside = value > value.max(axis=-1, keepdims=True) - DEPTH
        first = np.argmax(inside, axis=-1) - 1
        last = N_GRID - np.argmax(inside[..., ::-1], axis=-1)
        low, high = (
            np.take_along_axis(grid, np.clip(end, 0, N_GRID - 1)[..., None], axis=-1)[..., 0]
            for end in (first, last)
        )
    return low, high


def _slope_support(likelihood: _Likelihood, high: Array) -> tuple[Array, Array]:
    low = np.full(len(likelihood), PRIOR_LOW[0])
    return _support(lambda slope: likelihood.profile(slope, high[:, 1:]), low, high[:, 0])


def _amplitude_support(
    likelihood: _Likelihood, slope: Array, ln_t: Array, top: Array
) -> tuple[Array, Array]:
    """Find the support of the amplitude at given slopes, (M, G)."""
    low = np.full(slope.shape, PRIOR_LOW[1])
    return _support(
        lambda amplitude: likelihood.at(slope[..., None], ln_t[..., None], amplitude),
        low,
        np.broadcast_to(top, slope.shape),
    )


def _gauss_legendre(low: Array, high: Array) -> tuple[Array, Array]:
    """Compute nodes and weights on intervals (...), (..., N_NODES)."""
    points, weights = np.polynomial.legendre.leggauss(N_NODES)
    half = (high - low)[..., None] / 2.0
    return low[..., None] + half * (1.0 + points), half * weights


def _nodes(
    likelihood: _Likelihood, high: Array
) -> tuple[Array, Array, Array, Float64[np.ndarray, " M"]]:
    """Compute quadrature nodes over the part of the prior below `high` (M, 2).

    Returns slopes (M, G), amplitudes (M, G, G), weights (M, G, G) and the ln L (M,) at weight 1.
    """
    slope, slope_weight = _gauss_legendre(*_slope_support(likelihood, high))
    ln_t = likelihood.ln_t(slope)
    support = _amplitude_support(likelihood, slope, ln_t, high[:, 1:])
    amplitude, weight = _gauss_legendre(*support)
    ln_l = likelihood.at(slope[..., None], ln_t[..., None], amplitude)
    reference = ln_l.max(axis=(1, 2))
    weight = slope_weight[..., None] * weight * np.exp(ln_l - reference[:, None, None])
    return slope, amplitude, weight, reference


def _moments(likelihood: _Likelihood) -> tuple[Cosmology, Array]:
    """Compute mean and covariance of (n, a)."""
    prior = np.tile(PRIOR_HIGH, (len(likelihood), 1))
    slope, amplitude, weight, _ = _nodes(likelihood, prior)
    weight /= weight.sum(axis=(1, 2), keepdims=True)
    both = np.stack(np.broadcast_arrays(slope[..., None], amplitude))  # (2, M, G, G)
    mean = np.einsum("pmij,mij->mp", both, weight)
    both -= mean.T[:, :, None, None]
    covariance = np.einsum("pmij,qmij,mij->mpq", both, both, weight, optimize=True)
    return mean, covariance
