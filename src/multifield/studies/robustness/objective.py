"""Objective of robust methods: perturbed maps, and alignment of features between suites.

References
----------
Maximum mean discrepancy: Gretton et al. 2012, JMLR 13, 723. Alignment of training domains, for
unseen domains: Li et al. 2018, CVPR, 5400. Alignment with an unlabelled target domain: Long et al.
2015, ICML, 97.
"""

from dataclasses import dataclass, replace
from itertools import combinations
from typing import ClassVar, cast

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from multifield.config.studies import Method
from multifield.models import Network
from multifield.training import DeviceBatch, Objective, PlainObjective, StepLoss

BANDWIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)  # kernel widths, in mean squared distances of a batch
LEAST_STD = 1e-6  # smallest std of a feature; a feature that is constant in a batch becomes 0
LEAST_MAPS = 2  # maps of a suite in a batch that the discrepancy needs


@dataclass(frozen=True)
class RobustObjective:
    """Loss on perturbed maps plus the discrepancy between the features of suites.

    Maps with unknown parameters (NaN) only enter the discrepancy.

    Parameters
    ----------
    method : Method
        Strengths of perturbations and alignment.
    loss : PlainObjective
        Loss of the inferred parameters.
    ends : tuple of int
        End index of each part of the training maps; see `TrainingSuites`.
    n_suites : int
        Number of suites. The parts are all suites at the first smoothing, then at the next.
    """

    needs_maps: ClassVar[bool] = True
    method: Method
    loss: PlainObjective
    ends: tuple[int, ...]
    n_suites: int

    def __call__(self, network: nn.Module, batch: DeviceBatch, columns: list[int]) -> StepLoss:
        """Compute the loss of a step; random numbers come from PyTorch's generators."""
        network = cast(Network, network)
        features = network.features(disturb(batch.x, self.method))  # (B, F)
        known = batch.theta[:, columns].isfinite().all(dim=1)
        labelled = replace(batch, x=batch.x[known], theta=batch.theta[known])
        outputs = batch.infer(network, features)[known]
        loss = self.loss.of_outputs(network.head, outputs, labelled, columns)
        if not self.method.alignment:
            return loss
        index = torch.from_numpy(batch.index)
        part = torch.bucketize(index, torch.tensor(self.ends), right=True)
        suite = (part % self.n_suites).to(features.device)
        discrepancy = mean_discrepancy(_standardize(features), suite)
        return StepLoss(loss.minimized + self.method.alignment * discrepancy, loss.reported)


def _standardize(features: Tensor) -> Tensor:
    """Standardize features over the batch, without a gradient through mean and std."""
    mean, std = features.mean(dim=0).detach(), features.std(dim=0).detach()
    return (features - mean) / std.clamp_min(LEAST_STD)


def choose_objective(
    method: Method, loss: PlainObjective, ends: tuple[int, ...], n_suites: int
) -> Objective:
    """Choose the objective of a method; the plain loss, which may be compiled, if nothing is added.

    Parameters
    ----------
    method : Method
        Strengths of perturbations and alignment.
    loss : PlainObjective
        Loss of the inferred parameters.
    ends : tuple of int
        End index of each part of the training maps.
    n_suites : int
        Number of suites in the training maps.

    Returns
    -------
    objective : Objective
        `loss`, or a `RobustObjective`.
    """
    if method.noise or method.offset or method.contrast or method.alignment:
        return RobustObjective(method, loss, ends, n_suites)
    return loss


def disturb(x: Float[Tensor, "B C L L"], method: Method) -> Float[Tensor, "B C L L"]:
    """Perturb standardized log maps by noise, an offset and a change of contrast.

    x' = x exp(contrast g_1) + offset g_2 + noise u n, with g ~ N(0, 1) per map and channel, u ~
    U(0, 1) per map and n ~ N(0, 1) per pixel. This mimics errors of a suite in a field as a whole
    and on pixel scales.

    Parameters
    ----------
    x : (B, C, L, L)
        Standardized log maps.
    method : Method
        Strengths of noise, offset and contrast.

    Returns
    -------
    x : (B, C, L, L)
        Perturbed maps.
    """
    if method.contrast:
        x = x * torch.exp(method.contrast * _one_each(x))
    if method.offset:
        x = x + method.offset * _one_each(x)
    if method.noise:
        strength = torch.rand((len(x), 1, 1, 1), device=x.device)
        x = x + method.noise * strength * torch.randn_like(x)
    return x


def _one_each(x: Tensor) -> Tensor:
    return torch.randn((*x.shape[:2], 1, 1), device=x.device)


def mean_discrepancy(
    features: Float[Tensor, "B F"], suite: Int64[Tensor, " B"]
) -> Float[Tensor, ""]:
    """Compute the squared maximum mean discrepancy of features, averaged over pairs of suites.

    For two suites it is <k(a, a')> + <k(b, b')> - 2 <k(a, b)>, where k is a mean of Gaussian
    kernels. The kernel widths follow the distances in the batch, without a gradient. It is 0 for
    equal sets, at most 2.

    Parameters
    ----------
    features : (B, F)
        Features of each map.
    suite : (B,)
        Suite number of each map. Suites with fewer than `LEAST_MAPS` maps are ignored.

    Returns
    -------
    discrepancy : scalar
        Squared discrepancy, 0 if fewer than two suites can be compared.
    """
    groups = [features[suite == number] for number in torch.unique(suite)]
    groups = [group for group in groups if len(group) >= LEAST_MAPS]
    scale = _squared_distances(features, features).mean().detach().clamp_min(1e-12)
    pairs = [_discrepancy(a, b, scale) for a, b in combinations(groups, 2)]
    return torch.stack(pairs).mean() if pairs else features.sum() * 0


def _discrepancy(a: Tensor, b: Tensor, scale: Tensor) -> Tensor:
    return _kernel(a, a, scale) + _kernel(b, b, scale) - 2 * _kernel(a, b, scale)


def _kernel(a: Tensor, b: Tensor, scale: Tensor) -> Tensor:
    squared = _squared_distances(a, b) / scale
    return torch.stack([torch.exp(-squared / width).mean() for width in BANDWIDTHS]).mean()


def _squared_distances(a: Tensor, b: Tensor) -> Tensor:
    return (a[:, None] - b[None]).square().sum(dim=2)  # a root has an infinite gradient at 0
