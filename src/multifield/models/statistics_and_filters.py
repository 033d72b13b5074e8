"""The network `statistics_and_filters`: inference from fixed statistics and learned filters."""

from collections.abc import Mapping
from math import sqrt

import torch
from jaxtyping import Float
from torch import Tensor

from multifield.models.feature_network import (
    FIRST_STD,
    Correction,
    LeftOutNetwork,
    choose,
    start_at_prior,
)
from multifield.models.heads import split_outputs
from multifield.models.network import Sizes
from multifield.models.o3_err import O3Err
from multifield.models.summary_statistics import SummaryStatistics

STATISTICS_HIDDEN = 8  # width of the members that read the statistics


class StatisticsAndFilters(LeftOutNetwork):
    """Infer the parameters from fixed statistics of maps, and correct it by learned filters.

    It contains the two networks `SummaryStatistics` and `O3Err`. The members of the first are
    trained before, each without a part of the simulations, and then stay as they are. A small
    network reads their posterior and the last hidden layer of `O3Err`, and corrects the posterior.
    Before its training the correction is zero.

    For a training map it corrects the posterior of a member that was trained without the simulation
    of the map. Otherwise it would learn to trust the members too much: on their own training maps
    they have 0.4 nats (MockNbody) or 1.7 nats (MockTNG, three fields) more than on other maps.

    `O3Err` learns from its own posterior at the same time. From the correction alone its filters
    learn too slowly, because little is left to explain.

    Parameters
    ----------
    hidden : int
        Half the number of channels of the first block of `O3Err`.
    dropout : float
        Dropout probability before each linear layer of `O3Err` and of the correction, in [0, 1).
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

    References
    ----------
    Wolpert 1992, Neural Networks 5, 241 (stacked generalization).
    """

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
        sizes = (channels, map_size, n_parameters, head)
        self.statistics = SummaryStatistics(STATISTICS_HIDDEN, 0.0, *sizes)
        self.statistics.requires_grad_(False)
        self.n_members = self.statistics.n_members
        self.filters = O3Err(hidden, dropout, *sizes)
        n_last = self.filters.FC2.in_features
        # random outputs have a huge loss; `O3Err.infer` squares the standard deviation
        start_at_prior(self.filters.FC2, n_parameters, sqrt(FIRST_STD))
        self.correct = Correction(n_parameters, self.head.n_outputs, n_last)

    @classmethod
    def sizes_of(cls, state: Mapping[str, Tensor]) -> Sizes:
        """Read the sizes from a state dict; see `Network.sizes_of`."""
        prefix = "filters."
        return O3Err.sizes_of(
            {
                name.removeprefix(prefix): each
                for name, each in state.items()
                if name.startswith(prefix)
            }
        )

    def train(self, mode: bool = True) -> "StatisticsAndFilters":
        """Set training mode, except for the members, which are not trained any more."""
        super().train(mode)
        self.statistics.eval()
        return self

    def mirror(self) -> None:
        """Prepare the statistics for maps that are not periodic; see `Network.mirror`."""
        self.statistics.mirror()

    def features(self, x: Float[Tensor, "B C L L"]) -> Float[Tensor, "B F"]:
        """Reduce maps to the statistics and the last hidden layer; see `Network.features`."""
        self._check_maps(x)
        self.filters.conv_dtype = self.conv_dtype
        return self.encode(x)

    def encode(self, x: Float[Tensor, "B C L L"]) -> Float[Tensor, "B F"]:
        """Compute the statistics and convolve maps; see `Network.encode`."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.training):
            statistics = self.statistics.features(x)
        return torch.cat((statistics, self.filters.features(x)), dim=1)

    def infer(self, features: Tensor, left_out: Tensor | None = None) -> Tensor:
        """Infer the parameters from features of maps.

        Parameters
        ----------
        features : (B, F)
            Statistics and last hidden layer.
        left_out : (B,) int64, optional
            Member that was trained without the simulation of each map.

        Returns
        -------
        y : (B, O) or (B, 2 O)
            Outputs that describe the posterior: mean and variance are those of the equal mixture
            of the corrected members. With `left_out` they are those of that corrected member, and
            the outputs of the filters alone follow, which are a second loss for them.
        """
        n_statistics = self.statistics.FC1.in_features
        statistics, last = features[:, :n_statistics], features[:, n_statistics:]
        members, filtered = self.statistics.members(statistics), self.dropout(last)
        if left_out is None:
            return self._summarize([self._correct(y, filtered) for y in members.unbind(1)])
        y = self._correct(choose(members, left_out), filtered)
        return torch.cat((y, self.filters.infer(last)), dim=1)

    def _summarize(self, members: list[Tensor]) -> Tensor:
        """Describe the equal mixture of members by one posterior with its mean and variance."""
        mean, std, others = split_outputs(torch.stack(members), self.n_parameters)
        variance = std.square().mean(dim=0) + mean.var(dim=0, correction=0)
        return torch.cat((mean.mean(dim=0), variance.sqrt(), others.mean(dim=0)), dim=1)

    def _correct(self, member: Tensor, filtered: Tensor) -> Tensor:
        """Correct the outputs of a member as learned from the statistics, then by the filters."""
        y: Tensor = self.correct(self.statistics.correct(member), filtered)
        return y

    def folded(self, dtype: torch.dtype) -> "StatisticsAndFilters":
        """Return a copy with folded batch normalizations; see `O3Err.folded`."""
        copy = super().folded(dtype)
        assert isinstance(copy, StatisticsAndFilters)
        copy.filters = self.filters.folded(dtype)
        return copy
