r"""What a training minimizes, and what a network is judged by: the published loss is a moment network's.

It is taken in logarithmic form,

.. math::

    L = \frac{1}{P} \sum_i \left[ \log \langle (\theta_i - \mu_i)^2 \rangle
        + \log \langle ((\theta_i - \mu_i)^2 - \sigma_i^2)^2 \rangle \right]

The first term is least where mu is the posterior mean, the second where sigma is the posterior
standard deviation. The logarithms give all parameters the same weight, however well each is
constrained.

Both averages are over the batch, and a batch of few maps has noisy ones. The negative logarithm of a
Gaussian posterior needs none: each map's error is compared with its own sigma,

.. math::

    L = \frac{1}{P} \sum_i \left\langle \log \sigma_i + (\theta_i - \mu_i)^2 / 2 \sigma_i^2
        \right\rangle.

It too is least for the posterior's mean and standard deviation. It sees what the moment loss hardly does: a
sigma that is too small. A network that goes on learning the maps it is trained on, ever more sure of them,
may lower the moment loss of other maps by a little while their Gaussian one has long been rising.

Where a batch holds maps that differ in what they can say, each kind is to have averages of its own: in an
average over all, those that say little hide the errors of the others.

References
----------
Jeffrey & Wandelt 2020, arXiv:2011.05991 (moment networks); Villaescusa-Navarro et al. 2021,
arXiv:2109.10915 (the logarithms).
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

# Of a standard deviation of 1e-4 of a parameter's range, finer than any map tells: o3_err can answer 0.
VARIANCE_FLOOR = 1e-8

Moment = Float[Tensor, "B P"]


def moment_loss(
    mean: Moment, std: Moment, theta: Moment, maps_per_set: int = 0
) -> Float[Tensor, ""]:
    """Score posterior means and standard deviations against true parameters.

    Parameters
    ----------
    mean, std : (B, P)
        Inferred moments, in the units of `theta`.
    theta : (B, P)
        True parameters.
    maps_per_set : int, optional
        So many rows that follow each other were shown in one set of fields and are averaged apart; the loss
        is the average of theirs, each with the weight of its rows. 0 averages all rows together.

    Returns
    -------
    loss : scalar
        Mean over the P parameters; unbounded below, minus infinity if a moment is exact.
    """
    error2 = (theta - mean).square()
    excess2 = (error2 - std.square()).square()
    if maps_per_set:
        sets = zip(*(torch.split(each, maps_per_set) for each in (error2, excess2)), strict=True)
        losses = [len(error2) * _log_averages(error2, excess2) for error2, excess2 in sets]
        return torch.stack(losses).sum() / len(theta)
    return _log_averages(error2, excess2)


def _log_averages(error2: Moment, excess2: Moment) -> Float[Tensor, ""]:
    return (error2.mean(dim=0).log() + excess2.mean(dim=0).log()).mean()


def gaussian_loss(
    mean: Moment, std: Moment, theta: Moment, maps_per_set: int = 0
) -> Float[Tensor, ""]:
    """Score by the negative logarithm of Gaussian posteriors, without its constant.

    Parameters
    ----------
    mean, std, theta : (B, P)
        As of `moment_loss`.
    maps_per_set : int, optional
        Makes no difference: each map's error is compared with its own sigma.

    Returns
    -------
    loss : scalar
        Mean over maps and parameters.
    """
    variance = std.square() + VARIANCE_FLOOR
    return 0.5 * (variance.log() + (theta - mean).square() / variance).mean()


Loss = Callable[[Moment, Moment, Moment, int], Float[Tensor, ""]]

LOSSES: dict[str, Loss] = {"moments": moment_loss, "gaussian": gaussian_loss}
"""By the names that the configuration has for them."""


class LossSums(Protocol):
    """A loss over more maps than one batch holds."""

    def add(self, mean: Moment, std: Moment, theta: Moment, maps_per_set: int = 0) -> None:
        """Add a batch, all parameters, (B, P) each; with as many maps a set as all others."""

    def loss(self) -> float:
        """Loss of all maps added; ValueError if there are none."""


class MomentSums:
    """The moment loss over more maps than one batch holds.

    The logarithm is taken of averages over all maps added, which is not the average of batch
    losses. Sums are kept in float64 on the CPU, so the result does not depend on the batch size
    beyond 1e-12.

    Parameters
    ----------
    columns : sequence of int
        The parameters that count.
    """

    def __init__(self, columns: Sequence[int]) -> None:
        self._columns = list(columns)
        self._by_set = False
        self._n_maps = 0
        self._error2 = torch.zeros(len(self._columns), dtype=torch.float64)
        self._excess2 = torch.zeros(len(self._columns), dtype=torch.float64)
        self._weighted_losses = 0.0  # of sets, each times its rows

    def add(self, mean: Moment, std: Moment, theta: Moment, maps_per_set: int = 0) -> None:
        """Add a batch, all parameters, (B, P) each; with as many maps a set as all others."""
        mean, std, theta = (_select(moment, self._columns) for moment in (mean, std, theta))
        self._n_maps += len(theta)
        if maps_per_set:
            self._by_set = True
            self._weighted_losses += len(theta) * float(moment_loss(mean, std, theta, maps_per_set))
            return
        error2 = (theta - mean).square()
        self._error2 += error2.sum(dim=0)
        self._excess2 += (error2 - std.square()).square().sum(dim=0)

    def loss(self) -> float:
        """Loss of all maps added; ValueError if there are none."""
        _check_any(self._n_maps)
        if self._by_set:
            return self._weighted_losses / self._n_maps
        averages = torch.stack((self._error2, self._excess2)) / self._n_maps
        return float(averages.log().sum(dim=0).mean())


class GaussianSums:
    """The Gaussian loss over more maps than one batch holds, in float64 on the CPU.

    Parameters
    ----------
    columns : sequence of int
        The parameters that count.
    """

    def __init__(self, columns: Sequence[int]) -> None:
        self._columns = list(columns)
        self._n_maps = 0
        self._sum = 0.0

    def add(self, mean: Moment, std: Moment, theta: Moment, maps_per_set: int = 0) -> None:
        """Add a batch, all parameters, (B, P) each."""
        mean, std, theta = (_select(moment, self._columns) for moment in (mean, std, theta))
        self._n_maps += len(theta)
        self._sum += len(theta) * float(gaussian_loss(mean, std, theta))

    def loss(self) -> float:
        """Loss of all maps added; ValueError if there are none."""
        _check_any(self._n_maps)
        return self._sum / self._n_maps


def _check_any(n_maps: int) -> None:
    if not n_maps:
        raise ValueError("loss: expected at least one map, got none")


def _select(moment: Moment, columns: list[int]) -> Tensor:
    return moment.detach().cpu().double()[:, columns]


SUMS: dict[str, Callable[[Sequence[int]], LossSums]] = {
    "moments": MomentSums,
    "gaussian": GaussianSums,
}
"""By the names of the losses."""
