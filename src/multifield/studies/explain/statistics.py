"""The statistics of `recipe=multifield`, by group and by field.

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
from itertools import accumulate, combinations

import numpy as np
import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from multifield.data import MapLoader
from multifield.models.map_statistics import (
    PER_CHANNEL,
    contours,
    couple_scales,
    map_statistics,
    tails,
)
from multifield.models.pyramid import Halve, count_levels
from multifield.models.spectra import Spectra
from multifield.models.summary_statistics import PIXELS_AT_A_TIME
from multifield.studies.explain.views import View
from multifield.training import on_device

POWER, ONE_POINT, CONTOURS = "power spectrum", "one-point distribution", "contours"
COUPLING, CROSS = "scale coupling", "cross-field"
GROUPS = (POWER, ONE_POINT, CONTOURS, COUPLING, CROSS)
"""Groups of statistics. One field has no cross-field statistics."""

Features = Float64[np.ndarray, "_ F"]
Block = tuple[str, tuple[tuple[int, ...], ...], Tensor]


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


class Describer(torch.nn.Module):
    """Compute the statistics of maps.

    Parameters
    ----------
    channels : int
        Number of fields, C.
    map_size : int
        Number of pixels per side, L.
    """

    def __init__(self, channels: int, map_size: int) -> None:
        super().__init__()
        self.halve = Halve(channels)
        self.spectra = Spectra(channels, map_size)
        self._halvings = [self.halve] * (count_levels(map_size) - 1)
        self._shape = (1, channels, map_size, map_size)
        self._alone = tuple((channel,) for channel in range(channels))
        self._pairs = tuple(combinations(range(channels), 2))

    @property
    def columns(self) -> Columns:
        """Group and fields of each statistic."""
        blocks = self._blocks(torch.zeros(self._shape, device=self.halve.blur.device))
        named = [(group, each) for group, channels, _ in blocks for each in channels]
        return Columns(*(tuple(each) for each in zip(*named, strict=True)))

    def forward(self, x: Tensor) -> Tensor:
        """Compute the statistics of (B, C, L, L) maps, (B, F)."""
        n = max(1, PIXELS_AT_A_TIME // x[0].numel()) if x.device.type == "cpu" else len(x)
        parts = [[block for _, _, block in self._blocks(some)] for some in torch.split(x, n)]
        return torch.cat([torch.cat(blocks, dim=1) for blocks in parts])

    def _blocks(self, x: Tensor) -> list[Block]:
        alone, pairs = self._alone, self._pairs
        levels = list(accumulate(self._halvings, lambda level, halve: halve(level), initial=x))
        found = [_block(ONE_POINT, alone, tails(x))]
        found.append(_block(COUPLING, alone, couple_scales(levels, self.halve)))
        power, cross = torch.split(
            self.spectra(x), [n * self._rings for n in (len(alone), len(pairs))], dim=1
        )
        found.append(_block(POWER, alone, power, in_turn=False))
        found.append(_block(CROSS, pairs, cross, in_turn=False))
        for level in levels:
            n = len(alone)
            sizes = [(PER_CHANNEL - 1) * n, n, len(pairs)]
            one_point, coupling, cross = torch.split(map_statistics(level), sizes, dim=1)
            found.append(_block(ONE_POINT, alone, one_point))
            found.append(_block(COUPLING, alone, coupling))
            found.append(_block(CROSS, pairs, cross))
        found += [_block(CONTOURS, alone, contours(level)) for level in levels[:-1]]
        return found

    @property
    def _rings(self) -> int:
        return self.spectra.n_features // (len(self._alone) + len(self._pairs))


def _block(
    group: str, channels: tuple[tuple[int, ...], ...], block: Tensor, *, in_turn: bool = True
) -> Block:
    """Name the channels of each column, which are in turn or in blocks of one field."""
    each = block.shape[1] // max(len(channels), 1)
    named = channels * each if in_turn else tuple(one for one in channels for _ in range(each))
    return group, named, block


@torch.inference_mode()
def describe_maps(
    loader: MapLoader, view: View, describer: Describer, device: torch.device
) -> Features:
    """Compute the statistics of the maps of a loader in a view, batch by batch.

    Parameters
    ----------
    loader : MapLoader
        Loader of standardized log maps.
    view : callable
        View of the maps.
    describer : Describer
        Statistics, on the device.
    device : torch.device
        Device of the computation.

    Returns
    -------
    features : (M, F) float64
        Statistics of each map in the loader's order.
    """
    with closing(on_device(loader.ordered([0]), device)) as batches:
        rows = [describer(view(batch.x.contiguous())).cpu().double() for batch in batches]
    features: Features = torch.cat(rows).numpy()
    return features
