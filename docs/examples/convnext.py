"""A compact ConvNeXt (arXiv:2201.03545): an architecture in a file of its own."""

from torch import Tensor, nn

from multifield.models import FeatureNetwork, register_architecture


class Block(nn.Module):
    """A depthwise convolution and two layers per pixel, added to what comes in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.spatial = nn.Conv2d(width, width, 7, padding=3, padding_mode="circular", groups=width)
        self.norm = nn.GroupNorm(1, width)
        self.expand = nn.Conv2d(width, 4 * width, 1)
        self.project = nn.Conv2d(4 * width, width, 1)

    def forward(self, x: Tensor) -> Tensor:  # (B, width, L, L)
        """Add what the layers make of maps to the maps."""
        y = self.expand(self.norm(self.spatial(x)))
        return x + self.project(nn.functional.gelu(y))


@register_architecture("convnext")
class ConvNeXt(FeatureNetwork):
    """Patches of 4 x 4 pixels, then stages that halve the map and double the width.

    Parameters
    ----------
    hidden : int
        A quarter of the width of the first stage.
    dropout : float
        Probability to drop a feature before each linear layer.
    channels : int
        Fields per map, C.
    map_size : int
        Pixels per side L.
    n_parameters : int
        Parameters P.
    """

    def __init__(
        self,
        hidden: int,
        dropout: float,
        channels: int,
        map_size: int = 256,
        n_parameters: int = 6,
    ) -> None:
        super().__init__(hidden, dropout, channels, map_size, n_parameters)
        width, size = 4 * hidden, map_size // 4
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 4, stride=4), Block(width)]
        while size > 4 and width < 32 * hidden:
            layers += [nn.Conv2d(width, 2 * width, 2, stride=2), Block(2 * width)]
            width, size = 2 * width, size // 2
        self.layers = nn.Sequential(*layers)
        self.add_head(n_features=width, n_units=64)

    def encode(self, x: Tensor) -> Tensor:
        """Reduce maps (B, C, L, L) to features (B, F)."""
        return self.layers(x).mean(dim=(2, 3))
