"""The statistics of `recipe=statistics`, by group and by field.

| group | statistics |
|---|---|
| power spectrum | logarithms of the power in rings of wave numbers |
| one-point distribution | mean, variance, skewness, kurtosis and tails, also of blurred maps |
| contours | gradients; area, length and curvature of contours |
| scale coupling | correlations of small-scale power with larger scales |
| cross-field | correlations of pairs of fields |
"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from jaxtyping import Bool, Float64

from multifield.data import MapLoader
from multifield.models import SummaryStatistics
from multifield.models.map_statistics import PER_CHANNEL
from multifield.studies.explain.views import View
from multifield.training import on_device

POWER, ONE_POINT, CONTOURS = "power spectrum", "one-point distribution", "contours"
COUPLING, CROSS = "scale coupling", "cross-field"
GROUPS = (POWER, ONE_POINT, CONTOURS, COUPLING, CROSS)
"""Groups of statistics. One field has no cross-field statistics."""
GROUP_OF = {"tails": ONE_POINT, "scales": COUPLING, "contours": CONTOURS}

Features = Float64[np.ndarray, "_ F"]


@dataclass(frozen=True, eq=False)
class Columns:
    """Group and fields of each statistic.

    Attributes
    ----------
    groups : tuple of str
        Group of each of the F columns.
    channels : tuple of tuple of int
        Channels that each column is computed from.
    """

    groups: tuple[str, ...]
    channels: tuple[tuple[int, ...], ...]

    def of_groups(self, chosen: Sequence[str]) -> Bool[np.ndarray, " F"]:
        """Mark the columns of some groups."""
        return np.isin(self.groups, list(chosen))

    def of_channels(self, chosen: Sequence[int]) -> Bool[np.ndarray, " F"]:
        """Mark the columns that need no other channels."""
        return np.array([set(each) <= set(chosen) for each in self.channels])


def list_columns(network: SummaryStatistics) -> Columns:
    """List the group and the fields of each statistic of a network.

    Parameters
    ----------
    network : SummaryStatistics
        Network that reads the statistics.

    Returns
    -------
    columns : Columns
        Groups and fields in the order of the features.
    """
    n, size = network.channels, network.map_size
    alone = [(channel,) for channel in range(n)]
    pairs = list(combinations(range(n), 2))
    rings = network.spectra.n_features // (n + len(pairs))
    named: list[tuple[str, tuple[int, ...]]] = []
    for block, features in network.blocks(torch.zeros(1, n, size, size)):
        each = features.shape[1] // n
        if block == "spectra":  # field by field
            named += [(POWER, one) for one in alone for _ in range(rings)]
            named += [(CROSS, pair) for pair in pairs for _ in range(rings)]
        elif block == "moments":  # number by number, the coupling last
            named += [(ONE_POINT, one) for _ in range(PER_CHANNEL - 1) for one in alone]
            named += [(COUPLING, one) for one in alone]
            named += [(CROSS, pair) for pair in pairs]
        else:
            named += [(GROUP_OF[block], one) for _ in range(each) for one in alone]
    return Columns(*(tuple(each) for each in zip(*named, strict=True)))


@torch.inference_mode()
def describe_maps(
    loader: MapLoader, view: View, network: SummaryStatistics, device: torch.device
) -> Features:
    """Compute the statistics of the maps of a loader in a view, batch by batch.

    Parameters
    ----------
    loader : MapLoader
        Loader of standardized log maps.
    view : callable
        View of the maps.
    network : SummaryStatistics
        Network that reads the statistics, on the device.
    device : torch.device
        Device of the computation.

    Returns
    -------
    features : (M, F) float64
        Statistics of each map in the loader's order.
    """
    with closing(on_device(loader.ordered([0]), device)) as batches:
        rows = [network.features(view(batch.x.contiguous())).cpu().double() for batch in batches]
    features: Features = torch.cat(rows).numpy()
    return features
