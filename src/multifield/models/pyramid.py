"""Maps blurred and halved, again and again."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from multifield.models.padding import pad_periodic

SMALLEST = 4  # [pixels] a side of the last level, of which 3 x 3 filters still see more than copies


class Halve(nn.Module):
    """Blur periodic maps by (1, 3, 3, 1) along each axis and take every other pixel.

    Small scales that an average over 2 x 2 pixels lets through are noise among the large ones: Omega_m of
    MockGaussian, fitted to the powers of eight random filters a level, was known 3 % less well with it.

    Parameters
    ----------
    channels : int
        Of the maps, each of which is halved by itself.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        tent = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
        self.blur: Tensor
        self.register_buffer("blur", torch.outer(tent, tent), persistent=False)

    def forward(self, x: Float[Tensor, "B C L L"]) -> Float[Tensor, "B C M M"]:
        """Give maps of half as many pixels a side."""
        return nn.functional.conv2d(
            pad_periodic(x),
            self.blur.expand(self.channels, 1, 4, 4),
            stride=2,
            groups=self.channels,
        )


def count_levels(map_size: int) -> int:
    """Count the sizes from that of a map down to the smallest, a power of two each."""
    return (map_size // SMALLEST).bit_length()
