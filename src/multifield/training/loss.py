r"""Losses of networks that infer posteriors.

The published loss is that of moment networks, with logarithms:

.. math::

    L = \frac{1}{P} \sum_i \left[ \log \langle (\theta_i - \mu_i)^2 \rangle
        + \log \langle ((\theta_i - \mu_i)^2 - \sigma_i^2)^2 \rangle \right]

The first term is minimal if mu is the posterior mean, the second if sigma is the posterior standard
deviation. The logarithms give all parameters the same weight, independent of how well the maps
constrain them.

Both averages are over the batch, so they are noisy for small batches. The negative log-likelihood
takes each map by itself, and any posterior q of the network's head:

.. math::

    L = - \frac{1}{P} \left\langle \log q(\theta | x) \right\rangle.

It is minimal for the true posterior. The prior range of each parameter is [0, 1], so -P L is the
mean information of a map against the prior [nats]. For independent Gaussians, mean and standard
deviation of the true posterior minimize it, too. Unlike the moment loss, it is sensitive to a sigma
that is too small. When a network overfits, its moment loss on other maps may still decrease while
their negative log-likelihood increases.

A few maps with a standard deviation near zero can dominate the mean of a set. So validation and
test losses are of a posterior that is mixed with a little of the prior, `PRIOR_SHARE`: no map costs
more than 7 nats. A posterior that is right loses 0.001 nats.

A network may have several members, whose equal mixture is its posterior. Each is trained by its own
loss, so that they stay different. Validation and test losses are those of the mixture.

If maps of a batch show different sets of fields, the moment loss averages each set separately. In a
common average, uninformative sets hide the errors of the others.

References
----------
Jeffrey & Wandelt 2020, arXiv:2011.05991 (moment networks); Villaescusa-Navarro et al. 2021,
arXiv:2109.10915 (the logarithms).
"""

from collections.abc import Sequence
from math import log, log1p
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from multifield.models.heads import Head, split_members

PRIOR_SHARE = 1e-3  # of the prior in the posterior that validation losses score

Moment = Float[Tensor, "B P"]


def moment_loss(
    mean: Moment, std: Moment, theta: Moment, maps_per_set: int = 0
) -> Float[Tensor, ""]:
    """Compute the moment loss of posterior means and standard deviations.

    Parameters
    ----------
    mean : (B, P)
        Posterior means, in the units of `theta`.
    std : (B, P)
        Posterior standard deviations, in the units of `theta`.
    theta : (B, P)
        True parameters.
    maps_per_set : int, optional
        Number of consecutive rows that show the same set of fields. Each set is averaged
        separately; the loss is the mean over sets, weighted by rows. 0 averages all rows together.

    Returns
    -------
    loss : scalar
        Mean over the P parameters. It has no lower bound, and is minus infinity for exact moments.
    """
    squares = _squares(mean, std, theta)
    if maps_per_set:
        sets = zip(*(torch.split(each, maps_per_set) for each in squares), strict=True)
        losses = [len(error2) * _log_averages(error2, excess2) for error2, excess2 in sets]
        return torch.stack(losses).sum() / len(theta)
    return _log_averages(*squares)


def _squares(mean: Moment, std: Moment, theta: Moment) -> tuple[Moment, Moment]:
    """Return the squared errors, and their squared difference from the variances."""
    error2 = (theta - mean).square()
    return error2, (error2 - std.square()).square()


def _log_averages(error2: Moment, excess2: Moment) -> Float[Tensor, ""]:
    return (error2.mean(dim=0).log() + excess2.mean(dim=0).log()).mean()


def robust_log_prob(log_prob: Float[Tensor, " B"]) -> Float[Tensor, " B"]:
    """Return the log-probability of posteriors that are mixed with a little of the prior.

    Parameters
    ----------
    log_prob : (B,)
        Log-probability of the true parameters against the prior [nats].

    Returns
    -------
    log_prob : (B,)
        Log-probability with the share `PRIOR_SHARE` of the prior, at least -6.9.
    """
    return torch.logaddexp(
        log_prob + log1p(-PRIOR_SHARE), torch.full_like(log_prob, log(PRIOR_SHARE))
    )


class Loss(Protocol):
    """Loss of a batch."""

    def __call__(
        self,
        head: Head,
        outputs: Float[Tensor, "B KO"],
        theta: Moment,
        columns: Sequence[int],
        maps_per_set: int,
        *,
        robust: bool = False,
    ) -> Float[Tensor, ""]:
        """Return the loss of the outputs of a network.

        Parameters
        ----------
        head : Head
            Posterior that the outputs describe.
        outputs : (B, K O)
            Outputs of the network, which has K members.
        theta : (B, Q)
            True parameters of the inferred columns.
        columns : sequence of int
            Columns of the Q inferred parameters.
        maps_per_set : int
            Number of consecutive rows that show the same set of fields; 0 if all do.
        robust : bool, optional
            Whether the loss is for reports and model selection; see `robust_log_prob`.
        """


def _moments(
    head: Head,
    outputs: Tensor,
    theta: Tensor,
    columns: Sequence[int],
    maps_per_set: int,
    *,
    robust: bool = False,
) -> Tensor:
    members = split_members(head, outputs)
    n_members = 1 if robust else members.shape[1]
    if robust:  # of the mixture
        mean, std = _mixture_moments(members)
    else:  # of each member
        mean, std = members.flatten(0, 1).chunk(2, dim=1)
        theta = theta.repeat_interleave(n_members, dim=0)
    chosen = list(columns)  # the configuration refuses other heads than `diagonal`
    return moment_loss(mean[:, chosen], std[:, chosen], theta, n_members * maps_per_set)


def _mixture_moments(members: Float[Tensor, "B K O"]) -> tuple[Tensor, Tensor]:
    """Return means and standard deviations of equal mixtures of independent Gaussians."""
    mean, std = members.chunk(2, dim=2)
    if members.shape[1] == 1:
        return mean[:, 0], std[:, 0]
    variance = std.square().mean(dim=1) + mean.var(dim=1, correction=0)
    return mean.mean(dim=1), variance.sqrt()


def _nll(
    head: Head,
    outputs: Tensor,
    theta: Tensor,
    columns: Sequence[int],
    maps_per_set: int,
    *,
    robust: bool = False,
) -> Tensor:
    members = split_members(head, outputs)
    n_members = members.shape[1]
    each = theta.repeat_interleave(n_members, dim=0)
    log_prob = head.log_prob(members.flatten(0, 1), each, columns).view(-1, n_members)
    if robust:  # of the mixture
        log_prob = robust_log_prob(log_prob.logsumexp(dim=1) - log(n_members))
    loss: Tensor = -log_prob.mean() / len(columns)
    return loss


LOSSES: dict[str, Loss] = {"moments": _moments, "nll": _nll}
"""Losses by their names in the configuration."""


class LossSums:
    """Loss of more maps than one batch contains, in float64 on the CPU.

    The moment loss is the logarithm of averages over all maps, so it differs from the mean loss of
    batches. The result depends on the batch size by less than 1e-12.

    Parameters
    ----------
    name : str
        Name of the loss in `LOSSES`.
    head : Head
        Posterior that the outputs describe.
    columns : sequence of int
        Columns of the inferred parameters.
    """

    def __init__(self, name: str, head: Head, columns: Sequence[int]) -> None:
        self._name, self._columns = name, list(columns)
        self._head = head
        self._by_batch = name != "moments"
        self._n_maps = 0
        self._moments = torch.zeros((2, len(self._columns)), dtype=torch.float64)
        self._weighted_losses = 0.0  # of batches, multiplied by their maps

    def add(
        self, outputs: Float[Tensor, "B KO"], theta: Float[Tensor, "B P"], maps_per_set: int = 0
    ) -> None:
        """Add a batch with all parameters; `maps_per_set` is the same for all batches."""
        outputs, theta = (each.detach().cpu().double() for each in (outputs, theta))
        theta = theta[:, self._columns]
        self._n_maps += len(theta)
        self._by_batch |= maps_per_set > 0
        if self._by_batch:
            compute = LOSSES[self._name]
            loss = compute(self._head, outputs, theta, self._columns, maps_per_set, robust=True)
            self._weighted_losses += len(theta) * float(loss)
        else:
            moments = _mixture_moments(split_members(self._head, outputs))
            mean, std = (each[:, self._columns] for each in moments)
            self._moments += torch.stack([each.sum(dim=0) for each in _squares(mean, std, theta)])

    def loss(self) -> float:
        """Return the loss of all added maps; ValueError if there are none."""
        if not self._n_maps:
            raise ValueError("loss: Expected at least one map, got none.")
        if self._by_batch:
            return self._weighted_losses / self._n_maps
        return float((self._moments / self._n_maps).log().sum(dim=0).mean())
