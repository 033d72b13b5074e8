"""Inference of the parameters from standardized features of maps."""

from math import expm1, log

import torch
from jaxtyping import Float
from torch import Tensor, nn

from multifield.models.network import Network

LONGEST_MEMORY = 1000  # [batches] of the running statistics of features
VARIANCE_FLOOR = 1e-4  # for features of order 1; protects constant features
FIRST_MEAN, FIRST_STD = 0.5, 0.3  # of the uniform prior on [0, 1]: the output before training
STD_FLOOR = 1e-4  # in units of the prior range; finer than any map can constrain


class FeatureNetwork(Network):
    """Network that infers the parameters from standardized features with three linear layers.

    A fourth linear layer connects features and outputs directly. A subclass calls `add_head` after
    it has created its other layers.
    """

    def add_head(
        self, n_features: int, n_units: int, *, limit: float = float("inf"), scale: float = 1.0
    ) -> None:
        """Create the layers. Before training, their output is the prior.

        Parameters
        ----------
        n_features : int
            Number of features.
        n_units : int
            Number of units of each of the two hidden layers.
        limit : float, optional
            Largest absolute value of a standardized feature; larger ones are clipped.
        scale : float, optional
            Standard deviation of the features after standardization.
        """
        self.standardize = RunningStandardization(n_features, limit, scale)
        self.FC1 = nn.Linear(n_features, n_units)
        self.FC2 = nn.Linear(n_units, n_units)
        self.FC3 = nn.Linear(n_units, self.head.n_outputs)
        self.direct = nn.Linear(n_features, self.head.n_outputs, bias=False)
        for layer in (self.FC1, self.FC2):
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
        nn.init.zeros_(self.FC3.weight)
        nn.init.zeros_(self.direct.weight)
        with torch.no_grad():
            mean, raw_std, others = self._split(self.FC3.bias)
            mean.fill_(FIRST_MEAN)
            raw_std.fill_(log(expm1(FIRST_STD - STD_FLOOR)))  # softplus of it
            others.zero_()

    def infer(self, features: Tensor) -> Tensor:
        """Infer the parameters from the features of maps; see `Network.infer`."""
        x = self.dropout(self.standardize(features))
        y = self.direct(x)
        x = nn.functional.silu(self.FC1(x))
        x = nn.functional.silu(self.FC2(self.dropout(x)))
        mean, raw_std, others = self._split(y + self.FC3(x))
        # softplus: exponential for small values, linear for large ones, which avoids overflow
        return torch.cat((mean, nn.functional.softplus(raw_std) + STD_FLOOR, others), dim=-1)

    def _split(self, outputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Split outputs into means, standard deviations and the rest."""
        n = self.n_parameters
        mean, std, others = torch.split(outputs, [n, n, self.head.n_outputs - 2 * n], dim=-1)
        return mean, std, others


class RunningStandardization(nn.Module):
    """Standardization of features by running mean and variance, in training and evaluation.

    It replaces batch normalization: the output for one map does not depend on the other maps of the
    batch. The statistics have no gradient.

    Parameters
    ----------
    n_features : int
        Number of features.
    limit : float, optional
        Largest absolute value of a standardized feature; larger ones are clipped.
    scale : float, optional
        Standard deviation of the output.
    """

    def __init__(self, n_features: int, limit: float = float("inf"), scale: float = 1.0) -> None:
        super().__init__()
        self.limit = limit
        self.scale: Tensor | None  # saved with the weights, which depend on it
        self.register_buffer("scale", None if scale == 1 else torch.tensor(scale))
        self.mean: Tensor
        self.var: Tensor
        self.n_batches: Tensor
        self.register_buffer("mean", torch.zeros(n_features))
        self.register_buffer("var", torch.ones(n_features))
        self.register_buffer("n_batches", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Float[Tensor, "B F"]) -> Float[Tensor, "B F"]:
        """Standardize features. In training mode, add the batch to the statistics first."""
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
