r"""Losses of networks that infer means and standard deviations.

The published loss is that of moment networks, with logarithms:

.. math::

    L = \frac{1}{P} \sum_i \left[ \log \langle (\theta_i - \mu_i)^2 \rangle
        + \log \langle ((\theta_i - \mu_i)^2 - \sigma_i^2)^2 \rangle \right]

The first term is minimal if mu is the posterior mean, the second if sigma is the posterior standard
deviation. The logarithms give all parameters the same weight, independent of how well the maps
constrain them.

Both averages are over the batch, so they are noisy for small batches. The Gaussian loss, the
negative logarithm of a Gaussian posterior, compares the error of each map with its own sigma:

.. math::

    L = \frac{1}{P} \sum_i \left\langle \log \sigma_i + (\theta_i - \mu_i)^2 / 2 \sigma_i^2
        \right\rangle.

It is also minimal for the posterior's mean and standard deviation. Unlike the moment loss, it is
sensitive to a sigma that is too small. When a network overfits, its moment loss on other maps may
still decrease while their Gaussian loss increases.

If maps of a batch show different sets of fields, the moment loss averages each set separately. In a
common average, uninformative sets hide the errors of the others.

References
----------
Jeffrey & Wandelt 2020, arXiv:2011.05991 (moment networks); Villaescusa-Navarro et al. 2021,
arXiv:2109.10915 (the logarithms).
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

# standard deviation of 1e-4 of the prior range, because o3_err can return 0
VARIANCE_FLOOR = 1e-8

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


def gaussian_loss(
    mean: Moment, std: Moment, theta: Moment, maps_per_set: int = 0
) -> Float[Tensor, ""]:
    """Compute the negative log-likelihood of Gaussian posteriors, without its constant.

    Parameters
    ----------
    mean : (B, P)
        Posterior means, in the units of `theta`.
    std : (B, P)
        Posterior standard deviations, in the units of `theta`.
    theta : (B, P)
        True parameters.
    maps_per_set : int, optional
        Not used: the error of each map is compared with its own standard deviation.

    Returns
    -------
    loss : scalar
        Mean over maps and parameters.
    """
    variance = std.square() + VARIANCE_FLOOR
    return 0.5 * (variance.log() + (theta - mean).square() / variance).mean()


Loss = Callable[[Moment, Moment, Moment, int], Float[Tensor, ""]]

LOSSES: dict[str, Loss] = {"moments": moment_loss, "gaussian": gaussian_loss}
"""Losses by their names in the configuration."""


class LossSums:
    """Loss of more maps than one batch contains, in float64 on the CPU.

    The moment loss is the logarithm of averages over all maps, so it differs from the mean loss of
    batches. The result depends on the batch size by less than 1e-12.

    Parameters
    ----------
    name : str
        Name of the loss in `LOSSES`.
    columns : sequence of int
        Columns of the inferred parameters.
    """

    def __init__(self, name: str, columns: Sequence[int]) -> None:
        self._name, self._columns = name, list(columns)
        self._by_batch = name != "moments"
        self._n_maps = 0
        self._moments = torch.zeros((2, len(self._columns)), dtype=torch.float64)
        self._weighted_losses = 0.0  # of batches, multiplied by their maps

    def add(self, mean: Moment, std: Moment, theta: Moment, maps_per_set: int = 0) -> None:
        """Add a batch with all parameters, (B, P) each; `maps_per_set` is the same for all."""
        given = mean, std, theta
        mean, std, theta = (each.detach().cpu().double()[:, self._columns] for each in given)
        self._n_maps += len(theta)
        self._by_batch |= maps_per_set > 0
        if self._by_batch:
            loss = LOSSES[self._name](mean, std, theta, maps_per_set)
            self._weighted_losses += len(theta) * float(loss)
        else:
            self._moments += torch.stack([each.sum(dim=0) for each in _squares(mean, std, theta)])

    def loss(self) -> float:
        """Return the loss of all added maps; ValueError if there are none."""
        if not self._n_maps:
            raise ValueError("loss: Expected at least one map, got none.")
        if self._by_batch:
            return self._weighted_losses / self._n_maps
        return float((self._moments / self._n_maps).log().sum(dim=0).mean())
