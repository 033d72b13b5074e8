r"""Posterior of a simulation from its maps, with the prior divided out.

Each map's posterior contains the prior. Its mean is shrunk towards the centre of the prior, so an
average of means is too. The likelihoods are multiplied instead. The prior is uniform and its
density 1, so they are the posteriors p_m themselves:

.. math::

    p(\theta) \propto \prod_m p_m(\theta)^{\,a}, \qquad a = n_\mathrm{eff} / n .

The n maps of a simulation share large-scale structure, so their errors are correlated. They count
as n_eff independent maps. The share a is fitted to validation simulations by maximum likelihood.

The product has no closed form. It is integrated by importance sampling. The proposal is the product
of the maps' Gaussians without truncation, made wider and truncated to the prior.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float64
from scipy import special

from multifield.evaluation.joint import Draws, JointPosterior, Values

N_POINTS = 1024  # points of the importance sampling per simulation, a power of two
INFLATION = 1.5  # of the proposal's standard deviations, so that its tails contain the product


@dataclass(frozen=True, eq=False)
class CombinedPosterior:
    """Joint posteriors of S simulations, each from all its maps.

    Attributes
    ----------
    maps : JointPosterior
        Posteriors of the maps, n consecutive rows per simulation.
    n_maps : int
        Number of maps per simulation, n.
    share : float
        n_eff / n, in (0, 1].
    points : (S, N, P) float64
        Points of the importance sampling in physical units.
    log_weight : (S, N) float64
        Logarithm of their weights, which sum to 1 per simulation.
    log_evidence : (S,) float64
        Logarithm of the integral of the product over the prior.
    """

    maps: JointPosterior
    n_maps: int
    share: float
    points: Draws
    log_weight: Float64[np.ndarray, "S N"]
    log_evidence: Float64[np.ndarray, " S"]

    def __len__(self) -> int:
        """Return the number of simulations S."""
        return len(self.points)

    def __repr__(self) -> str:
        """Return a summary."""
        return (
            f"Posteriors of {len(self)} simulations, each from {self.n_maps} maps that count as "
            f"{self.share * self.n_maps:.1f} independent ones: {', '.join(self.parameters)}"
        )

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters."""
        return self.maps.parameters

    @property
    def mean(self) -> Values:
        """Posterior means in physical units, (S, P)."""
        return self.moments()[0]

    @property
    def std(self) -> Values:
        """Posterior standard deviations, (S, P)."""
        std: np.ndarray = np.sqrt(np.diagonal(self.covariance, axis1=1, axis2=2))
        return std

    @property
    def covariance(self) -> Float64[np.ndarray, "S P P"]:
        """Posterior covariances, (S, P, P)."""
        return self.moments()[1]

    @property
    def n_effective(self) -> Float64[np.ndarray, " S"]:
        """Effective number of points of each simulation."""
        n_effective: np.ndarray = np.exp(-special.logsumexp(2 * self.log_weight, axis=1))
        return n_effective

    @classmethod
    def of_maps(cls, maps: JointPosterior, n_maps: int, share: float) -> "CombinedPosterior":
        """Combine the posteriors of maps.

        Parameters
        ----------
        maps : JointPosterior
            Posteriors inside the prior, `n_maps` consecutive rows per simulation.
        n_maps : int
            Number of maps per simulation.
        share : float
            n_eff / n, in (0, 1].

        Returns
        -------
        combined : CombinedPosterior
            One posterior per simulation.
        """
        points, of_product, log_proposal = propose(maps, n_maps, share)
        log_weight, log_evidence = weigh(share * of_product - log_proposal)
        return cls(maps, n_maps, share, points, log_weight, log_evidence)

    def log_prob(self, theta: Values) -> Float64[np.ndarray, " S"]:
        """Compute the joint log-probability of parameters; see `JointPosterior.log_prob`."""
        product = log_product(self.maps, self.n_maps, np.asarray(theta, np.float64)[:, None])
        log_prob: np.ndarray = self.share * product[:, 0] - self.log_evidence
        return log_prob

    def sample(self, n: int, seed: int = 0) -> Draws:
        """Draw parameters by resampling the points; see `JointPosterior.sample`."""
        if n < 1:
            raise ValueError(f"n: Expected a number of draws >= 1, got {n}.")
        shares = np.random.default_rng(seed).random((len(self), n))
        cumulative = np.cumsum(np.exp(self.log_weight), axis=1)
        drawn = [
            points[np.searchsorted(below, share * below[-1])]
            for points, below, share in zip(self.points, cumulative, shares, strict=True)
        ]
        return np.stack(drawn)

    def moments(self) -> tuple[Values, Float64[np.ndarray, "S P P"]]:
        """Compute means and covariances; see `JointPosterior.moments`."""
        return _weighted_moments(self.points, self.log_weight)

    def shares_below(self, theta: Values) -> Values:
        """Compute the marginal probability below each parameter (PIT)."""
        below = self.points < np.asarray(theta)[:, None]
        shares: np.ndarray = np.einsum("sn,snp->sp", np.exp(self.log_weight), below)
        return shares

    def take(self, rows: np.ndarray | slice) -> "CombinedPosterior":
        """Keep some simulations."""
        chosen = np.arange(len(self))[rows]
        of_maps = (chosen[:, None] * self.n_maps + np.arange(self.n_maps)).ravel()
        return replace(
            self,
            maps=self.maps.take(of_maps),
            points=self.points[chosen],
            log_weight=self.log_weight[chosen],
            log_evidence=self.log_evidence[chosen],
        )


def log_product(maps: JointPosterior, n_maps: int, points: Draws) -> Float64[np.ndarray, "S N"]:
    """Sum the log-probabilities of the maps of each simulation at its points.

    Parameters
    ----------
    maps : JointPosterior
        Posteriors of the maps, `n_maps` consecutive rows per simulation.
    n_maps : int
        Number of maps per simulation.
    points : (S, N, P) float64
        Points in physical units.

    Returns
    -------
    log_product : (S, N) float64
        Logarithm of the product of the maps' posteriors.
    """
    n_simulations, n_points, n_parameters = points.shape
    repeated = np.repeat(points, n_maps, axis=0).reshape(-1, n_parameters)
    rows = np.repeat(np.arange(len(maps)), n_points)
    log_prob = maps.take(rows).log_prob(repeated)
    summed: np.ndarray = log_prob.reshape(n_simulations, n_maps, n_points).sum(axis=1)
    return summed


def propose(
    maps: JointPosterior, n_maps: int, share: float
) -> tuple[Draws, Float64[np.ndarray, "S N"], Float64[np.ndarray, "S N"]]:
    """Choose points of the importance sampling.

    Parameters
    ----------
    maps : JointPosterior
        Posteriors of the maps, `n_maps` consecutive rows per simulation.
    n_maps : int
        Number of maps per simulation.
    share : float
        Power of the product that the points are adapted to.

    Returns
    -------
    points : (S, N, P) float64
        Points in physical units.
    log_product : (S, N) float64
        Logarithm of the product of the maps' posteriors.
    log_proposal : (S, N) float64
        Logarithm of the density of the points.
    """
    mean, covariance = _product_of_gaussians(maps, n_maps, share)
    proposal = JointPosterior.of_gaussians(
        mean, INFLATION**2 * covariance, maps.parameters, maps.space
    )
    points = proposal.quasi_sample(N_POINTS)
    rows = np.repeat(np.arange(len(proposal)), N_POINTS)
    log_proposal = proposal.take(rows).log_prob(points.reshape(len(rows), -1))
    of_product = log_product(maps, n_maps, points)
    return points, of_product, log_proposal.reshape(len(proposal), N_POINTS)


def _product_of_gaussians(
    maps: JointPosterior, n_maps: int, share: float
) -> tuple[Values, np.ndarray]:
    """Multiply the Gaussians of the maps without truncation, to the power of the share."""
    mean, covariance = maps.moments_without_edges()
    precision = np.linalg.inv(covariance)
    weighted = np.einsum("mij,mj->mi", precision, mean)
    n = len(maps) // n_maps
    total = share * precision.reshape(n, n_maps, *precision.shape[1:]).sum(axis=1)
    pull = share * weighted.reshape(n, n_maps, -1).sum(axis=1)
    covariance = np.linalg.inv(total)
    return np.einsum("sij,sj->si", covariance, pull), covariance


def weigh(log_ratio: Float64[np.ndarray, "S N"]) -> tuple[np.ndarray, np.ndarray]:
    """Normalize weights.

    Parameters
    ----------
    log_ratio : (S, N) float64
        Logarithm of the ratio of a density and that of the points.

    Returns
    -------
    log_weight : (S, N) float64
        Logarithms of weights that sum to 1.
    log_integral : (S,) float64
        Logarithm of the integral of the density.
    """
    total = special.logsumexp(log_ratio, axis=1)
    return log_ratio - total[:, None], total - np.log(log_ratio.shape[1])


def _weighted_moments(points: Draws, log_weight: Any) -> tuple[Values, np.ndarray]:
    weight = special.softmax(log_weight, axis=1)
    mean = np.einsum("sn,snp->sp", weight, points)
    centered = points - mean[:, None]
    return mean, np.einsum("sn,snp,snq->spq", weight, centered, centered)
