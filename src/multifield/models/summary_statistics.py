"""The network `summary_statistics`: inference from fixed statistics of maps."""

from collections.abc import Mapping
from itertools import accumulate
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from multifield.models.feature_network import FeatureNetwork
from multifield.models.heads import count_parameters
from multifield.models.map_statistics import (
    EXPONENTS,
    PER_LEVEL,
    PER_PAIR,
    contours,
    count_statistics,
    couple_scales,
    map_statistics,
    tails,
)
from multifield.models.network import Sizes, require_axes
from multifield.models.padding import pad_mirrored
from multifield.models.pyramid import Halve, count_levels
from multifield.models.spectra import Spectra

MEMBERS = 10  # networks that read the statistics; see `FeatureNetwork`
UNITS_PER_HIDDEN = 32  # of the two hidden layers of each member
PIXELS_AT_A_TIME = 2**19  # fits a CPU cache: 5 ms instead of 16 ms per map of 256 pixels
LIMIT = 8.0  # [standard deviations] at which features are clipped
Block = Literal["spectra", "tails", "scales", "moments", "contours"]
FIRST_TENSOR = "map_shape"  # name in a state dict that only this architecture has


class SummaryStatistics(FeatureNetwork):
    r"""Infer means and standard deviations of the parameters from fixed statistics of maps.

    The statistics are the power spectrum and the cumulant generating function of the map. The map
    is also blurred and halved repeatedly, down to 4 x 4 pixels. Each level adds moments
    (`map_statistics`), gradients and contours (`contours`), and correlations of small-scale power
    with larger scales (`couple_scales`). Several fields add their correlations. Linear layers infer
    the parameters from the standardized statistics, divided by the number of fields. Ten members
    do so side by side; their posteriors are corrected and mixed.

    All statistics are invariant under the eight orientations, and under shifts by multiples of the
    last level's pixels. So they are computed once, and an epoch costs only the linear layers.

    Parameters
    ----------
    hidden : int
        Width: the two hidden layers of each member have 32 `hidden` units.
    dropout : float
        Dropout probability of the units of the two hidden layers, in [0, 1).
    channels : int
        Number of fields per map, C.
    map_size : int
        Number of pixels per side L, a power of two from 16.
    n_parameters : int
        Number of parameters P.
    head : str
        Name of the posterior that the outputs describe; see `Network`.

    Raises
    ------
    ValueError
        If a number is outside its range.

    Notes
    -----
    Information that no statistic contains is lost. More maps or longer training do not recover it,
    unlike with learned filters.
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
        head: str = "diagonal",
    ) -> None:
        super().__init__(hidden, dropout, channels, map_size, n_parameters, head)
        self.map_shape: Tensor  # the number of statistics does not determine it
        self.register_buffer("map_shape", torch.tensor([channels, map_size]))
        self.mirrored: Tensor | None  # saved with the weights, which depend on it
        self.register_buffer("mirrored", None)
        self.halve = Halve(channels)
        self.spectra = Spectra(channels, map_size)
        n_levels = count_levels(map_size)
        n_pairs = n_levels * (n_levels - 1) // 2
        per_channel = len(EXPONENTS) + PER_LEVEL * (n_levels - 1) + PER_PAIR * n_pairs
        of_levels = n_levels * count_statistics(channels)
        n_features = self.spectra.n_features + of_levels + channels * per_channel
        n_units = UNITS_PER_HIDDEN * hidden
        # 1 / channels: Adam moves all weights equally, so the output moves with the feature count
        self.add_head(n_features, n_units, limit=LIMIT, scale=1 / channels, n_members=MEMBERS)

    @classmethod
    def sizes_of(cls, state: Mapping[str, Tensor]) -> Sizes:
        """Read the sizes from a state dict; see `Network.sizes_of`."""
        channels, map_size = require_axes(state, FIRST_TENSOR, 1, "summary_statistics").tolist()
        n_units = require_axes(state, "FC2.weight", 3, "summary_statistics").shape[1]
        n_outputs = require_axes(state, "FC3.weight", 3, "summary_statistics").shape[2]
        return Sizes(
            n_units // UNITS_PER_HIDDEN, channels, map_size, count_parameters(state, n_outputs)
        )

    def mirror(self) -> None:
        """Mirror maps at their edges, except in their spectra; see `Network.mirror`."""
        self.mirrored = torch.tensor(True)
        self.halve.pad = pad_mirrored

    def encode(self, x: Float[Tensor, "B C L L"]) -> Float[Tensor, "B F"]:
        """Compute the statistics of maps; see `Network.encode`."""
        with torch.autocast(x.device.type, enabled=False):
            x = x.float().contiguous()
            n = max(1, PIXELS_AT_A_TIME // x[0].numel()) if x.device.type == "cpu" else len(x)
            return torch.cat([self._describe(some) for some in torch.split(x, n)])

    def _describe(self, x: Tensor) -> Tensor:
        return torch.cat([features for _, features in self.blocks(x)], dim=1)

    def blocks(self, x: Float[Tensor, "B C L L"]) -> list[tuple[Block, Tensor]]:
        """Compute the statistics of maps in blocks, in the order of the features.

        Parameters
        ----------
        x : (B, C, L, L)
            Standardized maps.

        Returns
        -------
        blocks : list of (str, (B, F_i) Tensor)
            Name of each block with its statistics.
        """
        halvings = [self.halve] * (count_levels(self.map_size) - 1)
        levels = list(accumulate(halvings, lambda level, halve: halve(level), initial=x))
        return [
            ("spectra", self.spectra(x)),
            ("tails", tails(x)),
            ("scales", couple_scales(levels, self.halve)),
            *(("moments", map_statistics(level, self.halve.pad)) for level in levels),
            *(("contours", contours(level, self.halve.pad)) for level in levels[:-1]),
        ]
