"""Maximum likelihood, cumulative distribution and samples of MockGaussian's exact posterior."""

import numpy as np

from multifield.mock.gaussian_likelihood import (
    OFFSET,
    PRIOR_HIGH,
    PRIOR_LOW,
    SCALE,
    Array,
    Cosmology,
    Statistics,
)
from multifield.mock.gaussian_posterior import (
    _amplitude_support,
    _gauss_legendre,
    _Likelihood,
    _nodes,
    _slices,
    _slope_support,
)

N_TABLE = 257  # points of a tabulated distribution for sampling


def maximum_likelihood(statistics: Statistics) -> Cosmology:
    """Find the maximum-likelihood Omega_m and sigma_8 of each map, inside or outside the prior.

    At a given n the best a is ln(T / N). So n minimizes N ln T(n) + n X, which is convex.
    """
    x, modes = statistics.x, statistics.n_modes
    slope = np.full(len(statistics), (PRIOR_LOW[0] + PRIOR_HIGH[0]) / 2.0)
    for _ in range(50):
        weight = statistics.power * modes * np.exp(-slope[:, None] * x)
        total = weight.sum(axis=1)
        mean = weight @ x / total
        step = (mean - modes @ x / modes.sum()) / (weight @ x**2 / total - mean**2)
        slope += np.clip(step, -0.5, 0.5)  # Newton's step is too long far from the minimum
        if np.abs(step).max() < 1e-12:
            break
    else:
        raise AssertionError("Newton's method has not converged in 50 steps.")
    amplitude = np.log((statistics.power * modes * np.exp(-slope[:, None] * x)).sum(axis=1))
    best = np.stack([slope, amplitude - np.log(modes.sum())], axis=1)
    theta: Cosmology = (best - OFFSET) / SCALE
    return theta


def cumulative(statistics: Statistics, theta: Cosmology) -> Cosmology:
    """Compute the posterior probability that each parameter is below a value.

    At the true parameters it is uniform from 0 to 1 over the prior: the probability integral
    transform (PIT).

    Parameters
    ----------
    statistics : Statistics
        Sufficient statistics of M maps.
    theta : (M, 2) float64
        Omega_m and sigma_8 in the latin hypercube.

    Returns
    -------
    probability : (M, 2) float64
        Cumulative probability of each marginal.
    """
    edge = np.clip(theta * SCALE + OFFSET, PRIOR_LOW, PRIOR_HIGH)
    parts = [
        _probability_below(_Likelihood(statistics.part(rows)), edge[rows])
        for rows in _slices(statistics)
    ]
    return np.concatenate(parts)


def sample_posterior(
    statistics: Statistics, n_samples: int, generator: np.random.Generator
) -> np.ndarray:
    """Draw Omega_m and sigma_8 from the posterior of each map.

    The slope is drawn first, then the amplitude given the slope.

    Parameters
    ----------
    statistics : Statistics
        Sufficient statistics of M maps.
    n_samples : int
        Number of draws per map.
    generator : numpy.random.Generator
        Random generator of the draws.

    Returns
    -------
    samples : (M, n_samples, 2) float64
        Draws from densities tabulated at 257 points over 18 standard deviations.
    """
    parts = [
        _sample(_Likelihood(statistics.part(rows)), n_samples, generator)
        for rows in _slices(statistics)
    ]
    samples: np.ndarray = (np.concatenate(parts) - OFFSET) / SCALE
    return samples


def _probability_below(likelihood: _Likelihood, edge: Cosmology) -> Cosmology:
    """Compute the posterior mass below `edge` in each parameter, (M, 2)."""
    prior = np.tile(PRIOR_HIGH, (len(likelihood), 1))
    *_, weight, reference = _nodes(likelihood, prior)
    whole = weight.sum(axis=(1, 2))
    probability = np.empty_like(edge)
    for column in range(2):
        high = prior.copy()
        high[:, column] = edge[:, column]
        *_, weight, peak = _nodes(likelihood, high)
        probability[:, column] = weight.sum(axis=(1, 2)) / whole * np.exp(peak - reference)
    return probability


def _sample(likelihood: _Likelihood, n_samples: int, generator: np.random.Generator) -> np.ndarray:
    """Draw (n, a) by inverting tabulated distributions."""
    prior = np.tile(PRIOR_HIGH, (len(likelihood), 1))
    slopes = np.linspace(*_slope_support(likelihood, prior), N_TABLE, axis=-1)
    ln_t = likelihood.ln_t(slopes)
    amplitude, weight = _gauss_legendre(*_amplitude_support(likelihood, slopes, ln_t, prior[:, 1:]))
    ln_l = likelihood.at(slopes[..., None], ln_t[..., None], amplitude)
    reference = ln_l.max(axis=(1, 2), keepdims=True)
    density = np.sum(weight * np.exp(ln_l - reference), axis=-1)
    slope = _invert(slopes, density, generator.random((len(likelihood), n_samples)))
    ln_t = likelihood.ln_t(slope)
    support = _amplitude_support(likelihood, slope, ln_t, prior[:, 1:])
    amplitudes = np.linspace(*support, N_TABLE, axis=-1)
    ln_l = likelihood.at(slope[..., None], ln_t[..., None], amplitudes)
    density = np.exp(ln_l - ln_l.max(axis=-1, keepdims=True))
    uniform = generator.random((*slope.shape, 1))
    return np.stack([slope, _invert(amplitudes, density, uniform)[..., 0]], axis=-1)


def _invert(grid: Array, density: Array, uniform: Array) -> Array:
    """Compute quantiles (..., n) of densities tabulated on even grids (..., N_TABLE)."""
    mass = np.cumsum((density[..., 1:] + density[..., :-1]) / 2.0, axis=-1)
    mass = np.concatenate([np.zeros_like(mass[..., :1]), mass], axis=-1) / mass[..., -1:]
    flat = zip(
        uniform.reshape(-1, uniform.shape[-1]),
        mass.reshape(-1, N_TABLE),
        grid.reshape(-1, N_TABLE),
        strict=True,
    )
    rows = [np.interp(u, cumulated, points) for u, cumulated, points in flat]
    return np.stack(rows).reshape(uniform.shape)
