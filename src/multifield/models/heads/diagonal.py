"""The benchmark's posterior: independent Gaussians."""

from collections.abc import Sequence

import torch
from torch import Tensor

from multifield.models.heads.base import LOG_ROOT_TAU, VARIANCE_FLOOR, Head


class DiagonalHead(Head):
    """Independent Gaussians that are not limited to the prior range.

    The outputs are P means and P standard deviations.
    """

    name = "diagonal"

    @property
    def n_outputs(self) -> int:
        """Number of outputs of a network."""
        return 2 * self.n_parameters

    def log_prob(self, outputs: Tensor, theta: Tensor, columns: Sequence[int]) -> Tensor:
        """Compute the log-probability of parameters; see `Head.log_prob`."""
        mean, std = self._moments(outputs, columns)
        variance = std.square() + VARIANCE_FLOOR
        terms = 0.5 * (variance.log() + (theta - mean).square() / variance) + LOG_ROOT_TAU
        return -terms.sum(dim=1)

    def shares_below(self, outputs: Tensor, theta: Tensor, columns: Sequence[int]) -> Tensor:
        """Compute the probability below each parameter; see `Head.shares_below`."""
        mean, std = self._moments(outputs, columns)
        shares: Tensor = torch.special.ndtr((theta - mean) / std)
        return shares

    def quantiles(self, outputs: Tensor, shares: Tensor, columns: Sequence[int]) -> Tensor:
        """Compute parameters from probabilities; see `Head.quantiles`."""
        mean, std = self._moments(outputs, columns)
        theta: Tensor = mean + std * torch.special.ndtri(shares)
        return theta

    def _moments(self, outputs: Tensor, columns: Sequence[int]) -> tuple[Tensor, Tensor]:
        mean, std = torch.split(outputs, self.n_parameters, dim=1)
        return mean[:, list(columns)], std[:, list(columns)]
