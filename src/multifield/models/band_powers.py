"""A small network that sees what a power spectrum sees, at every depth: `band_powers`."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from multifield.models.head import FeatureNetwork
from multifield.models.map_statistics import count_statistics, map_statistics
from multifield.models.network import Sizes, require_axes
from multifield.models.padding import pad_periodic
from multifield.models.pyramid import SMALLEST, Halve, count_levels

WIDEST = 4  # times the first level's channels has the widest one
NEGATIVE_SLOPE = 0.2  # of every LeakyReLU, as in o3_err
KINDS = (2, 1, 2, 1, 0, 1, 2, 1, 2)  # of the pixels of a filter: centre, edge, corner
POWER_FLOOR = 1e-6  # of standardized maps; keeps the logarithm of an empty band finite
N_UNITS = 128  # of the two hidden layers
FIRST_TENSOR = "levels.0.bands.weight"  # of a state dict; no other architecture has it


class BandPowers(FeatureNetwork):
    r"""Means and standard deviations of the parameters, from mean squares of learned filters.

    The map, and below it the map blurred and halved, again and again down to 4 x 4 pixels, are filtered
    linearly. The mean square of a filtered map, a band power, is all that a Gaussian field tells. Each
    level also convolves its bands together with what the level above found, adds a residual convolution,
    and activates: what a field tells that is not Gaussian. Of both, the global means and the logarithms of
    the global mean squares go to three linear layers. So do a few statistics of each level's map that need
    no learning, `map_statistics`: in a short training, filters have not yet found what moments tell.

    Every filter is 3 x 3 and periodic, and blurs and averages keep the symmetries of the square. The linear
    filters have these symmetries too: one weight for the centre, one for the edges, one for the corners, so
    that band powers are the same for the eight orientations of a map. The others are free, as structures
    that are not Gaussian have directions: with symmetric ones, in a first trial of one seed, the errors of
    MockNbody's parameters were 26 and 11 % larger. All features are the same for shifts by as many pixels
    as the last level's are wide. Nothing is normalized by its batch: of few maps, its statistics move by
    more than a good network's error.

    Parameters
    ----------
    hidden : int
        Half the channels of the first level; the next have twice and four times as many.
    dropout : float
        Probability to drop a feature before the first and the second linear layer, in [0, 1).
    channels, map_size, n_parameters : int
        As of `Network`.

    Raises
    ------
    ValueError
        If a number is outside its range.
    """

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
        n_levels = count_levels(map_size)
        n_bands = 2 * hidden
        widths = [2 * hidden * min(2**k, WIDEST) for k in range(n_levels)]
        above = [0, *widths[:-1]]
        self.levels = nn.ModuleList(
            _Level(channels, c_above, n_bands, width)
            for c_above, width in zip(above, widths, strict=True)
        )
        self.halve = Halve(channels)
        n_features = n_levels * (n_bands + count_statistics(channels)) + 2 * sum(widths)
        self.add_head(n_features, N_UNITS)

    @classmethod
    def sizes_of(cls, state: Mapping[str, Tensor]) -> Sizes:
        """Read the sizes from a state dict; see `Network.sizes_of`."""
        channels = require_axes(state, FIRST_TENSOR, 3, "band_powers").shape[1]
        n_outputs = require_axes(state, "direct.weight", 2, "band_powers").shape[0]
        n_levels = sum(name.endswith(".bands.weight") for name in state)
        # a wide tensor says the width: a small one could claim a network of any size
        last = f"levels.{n_levels - 1}.residual.weight"
        width = require_axes(state, last, 4, "band_powers").shape[0]
        hidden = width // (2 * min(2 ** (n_levels - 1), WIDEST))
        return Sizes(hidden, channels, SMALLEST * 2 ** (n_levels - 1), n_outputs // 2)

    def encode(self, x: Tensor) -> Tensor:
        """Filter maps, level by level; see `Network.encode`."""
        features: list[Tensor] = []
        found: Tensor | None = None
        for k, level in enumerate(self.levels):
            if k:
                x = self.halve(x)
            found, of_level = level(x, found)
            features += [*of_level, map_statistics(x)]
        return torch.cat(features, dim=1)  # (B, F)


class _Level(nn.Module):
    """What is seen of a map at one resolution.

    Parameters
    ----------
    channels : int
        Of the map.
    c_above : int
        Of what the level above found; 0 for the first level.
    n_bands : int
        Linear filters.
    width : int
        Channels of what this level finds.
    """

    def __init__(self, channels: int, c_above: int, n_bands: int, width: int) -> None:
        super().__init__()
        # three of four filters begin blind to the mean: most of a cosmic field's power is on its largest
        # scales, which would be all that random filters see
        self.bands = SymmetricConv(channels, n_bands, n_blind=3 * n_bands // 4)
        self.mix = nn.Conv2d(c_above + n_bands, width, 3)
        self.residual = nn.Conv2d(width, width, 3)
        for convolution in (self.mix, self.residual):
            nn.init.kaiming_normal_(convolution.weight, NEGATIVE_SLOPE)
            nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
        self.scale = nn.Parameter(torch.tensor(0.2))  # begins near a network of half the depth

    def forward(self, x: Tensor, above: Tensor | None) -> tuple[Tensor, list[Tensor]]:
        """Give what was found, half as wide, and the features; a level of 4 x 4 pixels is the last."""
        bands = self.bands(pad_periodic(x))  # (B, n_bands, L_k, L_k)
        both = bands if above is None else torch.cat((above, bands), dim=1)
        found = self.mix(pad_periodic(both))  # (B, c_k, L_k, L_k)
        found = found + self.scale * self.residual(pad_periodic(found, NEGATIVE_SLOPE))
        found = nn.functional.leaky_relu(found, NEGATIVE_SLOPE)
        features = [log_power(bands), found.float().mean(dim=(2, 3)), log_power(found)]
        return nn.functional.avg_pool2d(found, 2), features


class SymmetricConv(nn.Module):
    """Convolution of padded maps by 3 x 3 filters that have the eight symmetries of the square.

    Parameters
    ----------
    c_in, c_out : int
        Channels.
    n_blind : int, optional
        So many of the filters begin with weights that add up to zero.
    """

    def __init__(self, c_in: int, c_out: int, *, n_blind: int = 0) -> None:
        super().__init__()
        weight = torch.randn(c_out, c_in, 3)  # centre, edges, corners
        weight[:n_blind, :, 0] = -4 * weight[:n_blind, :, 1:].sum(dim=-1)
        places = nn.functional.one_hot(torch.tensor(KINDS), 3).T.float()
        self.places: Tensor  # of the three weights among a filter's nine, (3, 9)
        self.register_buffer("places", places, persistent=False)
        norm = (weight @ places).square().sum(dim=(1, 2), keepdim=True).sqrt()
        self.weight = nn.Parameter(weight / norm)  # the sum of a filter's squares is 1
        self.bias = nn.Parameter(torch.zeros(c_out))

    def forward(self, x: Float[Tensor, "B C M M"]) -> Float[Tensor, "B D L L"]:
        """Convolve maps that were padded by a pixel on each side."""
        # a product, for indexing would add up its gradient weight by weight
        filters = (self.weight @ self.places).reshape(*self.weight.shape[:2], 3, 3)
        return nn.functional.conv2d(x, filters, self.bias)


def log_power(x: Float[Tensor, "B C L L"]) -> Float[Tensor, "B C"]:
    """Logarithm of the mean square over a map, in float32."""
    return (x.float().square().mean(dim=(2, 3)) + POWER_FLOOR).log()
