"""What makes a network care less about the suite: disturbed maps, and features that suites share.

References
----------
Gretton et al. 2012, JMLR 13, 723 (the discrepancy); Li et al. 2018, CVPR, 5400 (it makes features of several
training domains alike, for domains that are not seen); Long et al. 2015, ICML, 97 (and those of the domain
that is asked about, whose labels are not known).
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

BANDWIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)  # of the kernels, in mean squared distances of a batch
LEAST_STD = 1e-6  # of a feature; one that is the same for all maps of a batch is left at 0
LEAST_MAPS = 2  # of a suite in a batch that can be compared with another


@dataclass(frozen=True)
class RobustObjective:
    """Loss of disturbed maps, and the discrepancy between the features of suites.

    Maps whose parameters are not known, NaN, count in the discrepancy alone.

    Parameters
    ----------
    method : Method
    loss : PlainObjective
        Of what is inferred.
    ends : tuple of int
        Number behind the last map of each part of the training maps; see `TrainingSuites`.
    n_suites : int
        Suites; the parts are all of them at one smoothing, and again at the next.
    """

    needs_maps: ClassVar[bool] = True
    method: Method
    loss: PlainObjective
    ends: tuple[int, ...]
    n_suites: int

    def __call__(self, network: nn.Module, batch: DeviceBatch, columns: list[int]) -> StepLoss:
        """Give what a step makes smaller; it draws from PyTorch's generators."""
        network = cast(Network, network)
        features = network.features(disturb(batch.x, self.method))  # (B, F)
        known = batch.theta[:, columns].isfinite().all(dim=1)
        labelled = replace(batch, x=batch.x[known], theta=batch.theta[known])
        loss = self.loss.of_outputs(network.infer(features)[known], labelled, columns)
        if not self.method.alignment:
            return loss
        index = torch.from_numpy(batch.index)
        part = torch.bucketize(index, torch.tensor(self.ends), right=True)
        suite = (part % self.n_suites).to(features.device)
        discrepancy = mean_discrepancy(_standardize(features), suite)
        return StepLoss(loss.minimized + self.method.alignment * discrepancy, loss.reported)


def _standardize(features: Tensor) -> Tensor:
    """Let all features count alike, whatever their units; no gradient through the statistics."""
    mean, std = features.mean(dim=0).detach(), features.std(dim=0).detach()
    return (features - mean) / std.clamp_min(LEAST_STD)


def choose_objective(
    method: Method, loss: PlainObjective, ends: tuple[int, ...], n_suites: int
) -> Objective:
    """Give the objective of a method: the loss, whose network may be compiled, where nothing is added."""
    if method.noise or method.offset or method.contrast or method.alignment:
        return RobustObjective(method, loss, ends, n_suites)
    return loss


def disturb(x: Float[Tensor, "B C L L"], method: Method) -> Float[Tensor, "B C L L"]:
    """Add noise to standardized log maps, shift each as a whole, and change its contrast.

    x' = x exp(contrast g_1) + offset g_2 + noise u n, with one g ~ N(0, 1) a map and channel, u ~ U(0, 1)
    a map and n ~ N(0, 1) a pixel: what a suite may get wrong about a field as a whole, and
    below the scale of a pixel.
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
    """Squared maximum mean discrepancy between the features of suites, averaged over pairs of them.

    Of two suites it is <k(a, a')> + <k(b, b')> - 2 <k(a, b)>, k a mean of Gaussian kernels whose widths
    follow the distances in the batch, without a gradient through these. It is 0 for equal sets, at most 2.

    Parameters
    ----------
    features : (B, F)
    suite : (B,)
        Of each map. Suites with fewer than `LEAST_MAPS` maps are left out.

    Returns
    -------
    discrepancy : scalar
        0 where there are no two suites to compare.
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
    return (a[:, None] - b[None]).square().sum(dim=2)  # no root, whose gradient at 0 is infinite
