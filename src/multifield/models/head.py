"""From features of maps to the parameters: what networks share that standardize features over time."""

from math import expm1, log

import torch
from jaxtyping import Float
from torch import Tensor, nn

from multifield.models.network import Network

LONGEST_MEMORY = 1000  # [batches] of the statistics of features
VARIANCE_FLOOR = 1e-4  # of features of order 1; for one that is the same for all maps
FIRST_MEAN, FIRST_STD = 0.5, 0.3  # the prior's, of parameters between 0 and 1: nothing is known yet
STD_FLOOR = 1e-4  # of the parameters' range: finer than any map tells


class FeatureNetwork(Network):
    """A network that infers by three linear layers, and one that goes past them, from standardized features.

    A subclass calls `add_head` when its other layers are there.
    """

    def add_head(
        self, n_features: int, n_units: int, *, limit: float = float("inf"), scale: float = 1.0
    ) -> None:
        """Make the layers; they answer the prior until they are trained.

        Parameters
        ----------
        n_features : int
        n_units : int
            Of the two hidden layers.
        limit : float, optional
            Where features are cut off, in standard deviations.
        scale : float, optional
            The standard deviation of the features that the layers take.
        """
        self.standardize = RunningStandardization(n_features, limit, scale)
        self.FC1 = nn.Linear(n_features, n_units)
        self.FC2 = nn.Linear(n_units, n_units)
        self.FC3 = nn.Linear(n_units, 2 * self.n_parameters)
        self.direct = nn.Linear(n_features, 2 * self.n_parameters, bias=False)
        for layer in (self.FC1, self.FC2):
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
        nn.init.zeros_(self.FC3.weight)
        nn.init.zeros_(self.direct.weight)
        with torch.no_grad():
            self.FC3.bias[: self.n_parameters] = FIRST_MEAN
            self.FC3.bias[self.n_parameters :] = log(expm1(FIRST_STD - STD_FLOOR))  # softplus of it

    def infer(self, features: Tensor) -> Tensor:
        """Infer the parameters from the features of maps; see `Network.infer`."""
        x = self.dropout(self.standardize(features))
        y = self.direct(x)
        x = nn.functional.silu(self.FC1(x))
        x = nn.functional.silu(self.FC2(self.dropout(x)))
        mean, raw_std = (y + self.FC3(x)).split(self.n_parameters, dim=1)
        # exponential where it is small, and linear where a map unlike all others would let it overflow
        return torch.cat((mean, nn.functional.softplus(raw_std) + STD_FLOOR), dim=1)


class RunningStandardization(nn.Module):
    """Standardization of features by their mean and variance over many batches, in training too.

    Batch normalization by means over time instead of over the batch: maps of a batch do not see each other.
    No gradient passes through the statistics.

    Parameters
    ----------
    n_features : int
    limit : float, optional
        Features further from their mean are cut off there, in standard deviations.
    scale : float, optional
        The standard deviation that they are given.
    """

    def __init__(self, n_features: int, limit: float = float("inf"), scale: float = 1.0) -> None:
        super().__init__()
        self.limit = limit
        self.scale: Tensor | None  # kept with the weights, which mean nothing without it
        self.register_buffer("scale", None if scale == 1 else torch.tensor(scale))
        self.mean: Tensor
        self.var: Tensor
        self.n_batches: Tensor
        self.register_buffer("mean", torch.zeros(n_features))
        self.register_buffer("var", torch.ones(n_features))
        self.register_buffer("n_batches", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Float[Tensor, "B F"]) -> Float[Tensor, "B F"]:
        """Standardize; in training mode after the batch was added to the statistics."""
        if self.training:
            self._add(x.detach())
        x = (x - self.mean) / (self.var + VARIANCE_FLOOR).sqrt()
        x = x if self.limit == float("inf") else x.clamp(-self.limit, self.limit)
        return x if self.scale is None else self.scale * x

    @torch.no_grad()
    def _add(self, x: Tensor) -> None:
        self.n_batches += 1
        weight = 1 / self.n_batches.clamp(max=LONGEST_MEMORY).float()
        self.mean.lerp_(x.mean(dim=0), weight)
        self.var.lerp_((x - self.mean).square().mean(dim=0), weight)
