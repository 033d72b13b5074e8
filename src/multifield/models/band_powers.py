"""The network `band_powers`: band powers of learned filters on a pyramid of scales."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from multifield.models.feature_network import FeatureNetwork
from multifield.models.heads import count_parameters
from multifield.models.map_statistics import count_statistics, map_statistics
from multifield.models.network import Sizes, require_axes
from multifield.models.padding import pad_periodic
from multifield.models.pyramid import SMALLEST, Halve, count_levels

WIDEST = 4  # largest number of channels of a level, relative to the first level
NEGATIVE_SLOPE = 0.2  # of every LeakyReLU, as in o3_err
KINDS = (2, 1, 2, 1, 0, 1, 2, 1, 2)  # kind of each weight of a filter: centre 0, edge 1, corner 2
POWER_FLOOR = 1e-6  # for standardized maps; keeps the logarithm of an empty band finite
N_UNITS = 128  # of the two hidden layers
FIRST_TENSOR = "levels.0.bands.weight"  # name in a state dict that only this architecture has


class BandPowers(FeatureNetwork):
    r"""Infer means and standard deviations of the parameters from band powers of learned filters.

    The map is blurred and halved repeatedly, down to 4 x 4 pixels. At each level:

    - Linear filters act on the map. The mean square of a filtered map, a band power, contains all
      the information of a Gaussian field.
    - A convolution combines the bands with the output of the level above. A residual convolution
      and a LeakyReLU follow. They extract non-Gaussian information.
    - Fixed statistics of the map are added (`map_statistics`). They help in short trainings, in
      which the filters have not converged.

    Three linear layers take the global means and the logarithms of the global mean squares.

    All filters are periodic and have 3 x 3 weights. The linear filters have the symmetries of the
    square: one weight for the centre, one for the edges, one for the corners. So band powers do not
    depend on the orientation of a map. The other convolutions are free, because non-Gaussian
    structures have directions. Symmetric ones raised the errors of MockNbody's parameters by 26%
    and 11% (one seed). All features are invariant under shifts by multiples of the last level's
    pixels. Batch normalization is not used: with few maps, its statistics fluctuate by more than
    the error of a good network.

    Parameters
    ----------
    hidden : int
        Half the number of channels of the first level. The next levels have twice and four times as
        many.
    dropout : float
        Dropout probability before the first and the second linear layer, in [0, 1).
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
        # use a wide tensor: a small damaged one could claim a network of any size
        last = f"levels.{n_levels - 1}.residual.weight"
        width = require_axes(state, last, 4, "band_powers").shape[0]
        hidden = width // (2 * min(2 ** (n_levels - 1), WIDEST))
        return Sizes(
            hidden, channels, SMALLEST * 2 ** (n_levels - 1), count_parameters(state, n_outputs)
        )

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
    """One resolution level.

    Parameters
    ----------
    channels : int
        Number of channels of the map.
    c_above : int
        Number of channels of the output of the level above; 0 for the first level.
    n_bands : int
        Number of linear filters.
    width : int
        Number of channels of the output.
    """

    def __init__(self, channels: int, c_above: int, n_bands: int, width: int) -> None:
        super().__init__()
        # three quarters of the filters start insensitive to the mean: the largest scales have most
        # of a cosmic field's power and would dominate random filters
        self.bands = SymmetricConv(channels, n_bands, n_blind=3 * n_bands // 4)
        self.mix = nn.Conv2d(c_above + n_bands, width, 3)
        self.residual = nn.Conv2d(width, width, 3)
        for convolution in (self.mix, self.residual):
            nn.init.kaiming_normal_(convolution.weight, NEGATIVE_SLOPE)
            nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
        self.scale = nn.Parameter(torch.tensor(0.2))  # starts close to a network of half the depth

    def forward(self, x: Tensor, above: Tensor | None) -> tuple[Tensor, list[Tensor]]:
        """Return the output at half the resolution, and the features of this level."""
        bands = self.bands(pad_periodic(x))  # (B, n_bands, L_k, L_k)
        both = bands if above is None else torch.cat((above, bands), dim=1)
        found = self.mix(pad_periodic(both))  # (B, c_k, L_k, L_k)
        found = found + self.scale * self.residual(pad_periodic(found, NEGATIVE_SLOPE))
        found = nn.functional.leaky_relu(found, NEGATIVE_SLOPE)
        features = [log_power(bands), found.float().mean(dim=(2, 3)), log_power(found)]
        return nn.functional.avg_pool2d(found, 2), features


class SymmetricConv(nn.Module):
    """Convolution of padded maps with 3 x 3 filters that have the symmetries of the square.

    Parameters
    ----------
    c_in : int
        Number of input channels.
    c_out : int
        Number of output channels.
    n_blind : int, optional
        Number of filters whose initial weights sum to zero.
    """

    def __init__(self, c_in: int, c_out: int, *, n_blind: int = 0) -> None:
        super().__init__()
        weight = torch.randn(c_out, c_in, 3)  # centre, edges, corners
        weight[:n_blind, :, 0] = -4 * weight[:n_blind, :, 1:].sum(dim=-1)
        places = nn.functional.one_hot(torch.tensor(KINDS), 3).T.float()
        self.places: Tensor  # one-hot map from the three weights to the nine of a filter, (3, 9)
        self.register_buffer("places", places, persistent=False)
        norm = (weight @ places).square().sum(dim=(1, 2), keepdim=True).sqrt()
        self.weight = nn.Parameter(weight / norm)  # the squares of a filter sum to 1
        self.bias = nn.Parameter(torch.zeros(c_out))

    def forward(self, x: Float[Tensor, "B C M M"]) -> Float[Tensor, "B D L L"]:
        """Convolve maps that are padded by one pixel on each side."""
        # a matrix product: the gradient of indexing would be summed weight by weight
        filters = (self.weight @ self.places).reshape(*self.weight.shape[:2], 3, 3)
        return nn.functional.conv2d(x, filters, self.bias)


def log_power(x: Float[Tensor, "B C L L"]) -> Float[Tensor, "B C"]:
    """Return the logarithm of the mean square of each map, in float32."""
    return (x.float().square().mean(dim=(2, 3)) + POWER_FLOOR).log()
