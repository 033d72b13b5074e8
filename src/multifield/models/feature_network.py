r"""Inference of the parameters from standardized features of maps, by several small networks.

A few hundred simulations are few true values for hundreds of features. Networks that fit them from
different random weights differ on other maps, and each is too certain. Their equal mixture is wider
where they disagree. So several members are trained side by side, each by its own loss.

Measured on MockTNG (three fields, six parameters, 300 simulations to train on): one member has
8.39 nats per map and five have 8.60. On MockNbody they have 2.60 and 2.69.

References
----------
Lakshminarayanan, Pritzel & Blundell 2017, arXiv:1612.01474.
"""

from math import expm1, log, sqrt

import torch
from jaxtyping import Float
from torch import Tensor, nn

from multifield.models.network import Network

LONGEST_MEMORY = 1000  # [batches] of the running statistics of features
VARIANCE_FLOOR = 1e-4  # for features of order 1; protects constant features
FIRST_MEAN, FIRST_STD = 0.5, 0.3  # of the uniform prior on [0, 1]: the output before training
STD_FLOOR = 1e-4  # in units of the prior range; finer than any map can constrain


class FeatureNetwork(Network):
    """Networks that infer the parameters from standardized features, each with three linear layers.

    A fourth linear layer connects features and outputs directly. A subclass calls `add_head`
    after it has created its other layers. Dropout is before the last two linear layers. Small
    differences between features carry information, so none is dropped.
    """

    def add_head(
        self,
        n_features: int,
        n_units: int,
        *,
        limit: float = float("inf"),
        scale: float = 1.0,
        n_members: int = 1,
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
        n_members : int, optional
            Number of networks.
        """
        n_outputs = self.head.n_outputs
        self.n_members = n_members
        self.standardize = RunningStandardization(n_features, limit, scale)
        self.FC1 = nn.Linear(n_features, n_members * n_units)
        self.FC2 = SeveralLinear(n_members, n_units, n_units)
        self.FC3 = SeveralLinear(n_members, n_units, n_outputs)
        self.direct = nn.Linear(n_features, n_members * n_outputs, bias=False)
        nn.init.kaiming_normal_(self.FC1.weight)
        nn.init.zeros_(self.FC1.bias)
        nn.init.zeros_(self.FC3.weight)
        nn.init.zeros_(self.direct.weight)
        with torch.no_grad():
            mean, raw_std, _ = self._split(self.FC3.bias)
            mean.fill_(FIRST_MEAN)
            raw_std.fill_(log(expm1(FIRST_STD - STD_FLOOR)))  # softplus of it

    def infer(self, features: Tensor) -> Tensor:
        """Infer the parameters from the features of maps; see `Network.infer`."""
        features = self.standardize(features)
        x = nn.functional.silu(self.FC1(features))
        x = x.view(len(x), self.n_members, -1).transpose(0, 1)  # (members, B, units)
        x = nn.functional.silu(self.FC2(self.dropout(x)))
        x = self.FC3(self.dropout(x)).transpose(0, 1)  # (B, members, O)
        mean, raw_std, others = self._split(x + self.direct(features).view(x.shape))
        # softplus: exponential for small values, linear for large ones, which avoids overflow
        std = nn.functional.softplus(raw_std) + STD_FLOOR
        return torch.cat((mean, std, others), dim=-1).flatten(1)

    def _split(self, outputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Split outputs into means, standard deviations and the rest."""
        n = self.n_parameters
        mean, std, others = torch.split(outputs, [n, n, self.head.n_outputs - 2 * n], dim=-1)
        return mean, std, others


class SeveralLinear(nn.Module):
    """Linear layers of all members, each with an input of its own.

    Parameters
    ----------
    n_members : int
        Number of members.
    n_in, n_out : int
        Number of inputs and outputs of each layer.
    """

    def __init__(self, n_members: int, n_in: int, n_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(
            sqrt(2 / n_in) * torch.randn(n_members, n_in, n_out)
        )  # He et al.
        self.bias = nn.Parameter(torch.zeros(n_members, 1, n_out))

    def forward(self, x: Float[Tensor, "K B I"]) -> Float[Tensor, "K B O"]:
        """Multiply the input of each member with its weights."""
        return torch.baddbmm(self.bias, x, self.weight)


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
