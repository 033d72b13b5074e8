"""A network that learns nothing of maps but what their statistics mean: `summary_statistics`."""

from collections.abc import Mapping
from itertools import accumulate

import torch
from jaxtyping import Float
from torch import Tensor

from multifield.models.head import FeatureNetwork
from multifield.models.map_statistics import count_statistics, map_statistics
from multifield.models.morphology import (
    EXPONENTS,
    PER_LEVEL,
    PER_PAIR,
    contours,
    couple_scales,
    tails,
)
from multifield.models.network import Sizes, require_axes
from multifield.models.pyramid import Halve, count_levels
from multifield.models.spectra import Spectra

UNITS_PER_HIDDEN = 32  # of the two hidden layers
PIXELS_AT_A_TIME = (
    2**19
)  # on a CPU, of whose cache a hundred passes are made: 5 ms a map of 256 pixels, not 16
LIMIT = 8.0  # [standard deviations] where features are cut off: further than that none was learned
FIRST_TENSOR = "map_shape"  # of a state dict; no other architecture has it


class SummaryStatistics(FeatureNetwork):
    r"""Means and standard deviations of the parameters, from statistics that need no learning.

    Of a map: its power spectrum and its cumulant generating function. Of the map, and of the map blurred and
    halved again and again down to 4 x 4 pixels: moments (`map_statistics`), slopes and contours (`contours`),
    and how much structure there is where there is more of the field (`couple_scales`). Of several fields,
    their correlations too. Linear layers infer the parameters from these numbers, standardized and divided
    by the number of fields.

    All are the same for the eight orientations of a map, and for shifts by as many pixels as the last level's
    are wide. So they are computed once, and an epoch of training costs what the linear layers do.

    Parameters
    ----------
    hidden : int
        The two hidden layers have 32 times as many units.
    dropout : float
        Probability to drop a statistic before the first linear layer, or a unit before the second, in [0, 1).
    channels, map_size, n_parameters : int
        As of `Network`.

    Raises
    ------
    ValueError
        If a number is outside its range.

    Notes
    -----
    Whatever of a map is in none of the statistics is lost, and more maps or a longer training do not bring it
    back, as they do with filters that are learned.
    """

    learns_features = False
    records_sizes = False

    def __init__(
        self,
        hidden: int,
        dropout: float,
        channels: int,
        map_size: int = 256,
        n_parameters: int = 6,
    ) -> None:
        super().__init__(hidden, dropout, channels, map_size, n_parameters)
        self.map_shape: Tensor  # which the number of statistics does not say
        self.register_buffer("map_shape", torch.tensor([channels, map_size]))
        self.halve = Halve(channels)
        self.spectra = Spectra(channels, map_size)
        n_levels = count_levels(map_size)
        n_pairs = n_levels * (n_levels - 1) // 2
        per_channel = len(EXPONENTS) + PER_LEVEL * (n_levels - 1) + PER_PAIR * n_pairs
        of_levels = n_levels * count_statistics(channels)
        n_features = self.spectra.n_features + of_levels + channels * per_channel
        # a step of Adam moves each weight alike, so what is inferred moves as far as there are features
        self.add_head(n_features, UNITS_PER_HIDDEN * hidden, limit=LIMIT, scale=1 / channels)

    @classmethod
    def sizes_of(cls, state: Mapping[str, Tensor]) -> Sizes:
        """Read the sizes from a state dict; see `Network.sizes_of`."""
        channels, map_size = require_axes(state, FIRST_TENSOR, 1, "summary_statistics").tolist()
        n_units = require_axes(state, "FC1.weight", 2, "summary_statistics").shape[0]
        n_outputs = require_axes(state, "direct.weight", 2, "summary_statistics").shape[0]
        return Sizes(n_units // UNITS_PER_HIDDEN, channels, map_size, n_outputs // 2)

    def encode(self, x: Float[Tensor, "B C L L"]) -> Float[Tensor, "B F"]:
        """Compute the statistics of maps; see `Network.encode`."""
        with torch.autocast(x.device.type, enabled=False):
            x = x.float().contiguous()
            n = max(1, PIXELS_AT_A_TIME // x[0].numel()) if x.device.type == "cpu" else len(x)
            return torch.cat([self._describe(some) for some in torch.split(x, n)])

    def _describe(self, x: Tensor) -> Tensor:
        halvings = [self.halve] * (count_levels(self.map_size) - 1)
        levels = list(accumulate(halvings, lambda level, halve: halve(level), initial=x))
        features = [self.spectra(x), tails(x), couple_scales(levels, self.halve)]
        features += [map_statistics(level) for level in levels]
        features += [contours(level) for level in levels[:-1]]
        return torch.cat(features, dim=1)
