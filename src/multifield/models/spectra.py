"""Power spectra and cross-correlations of maps in rings of wave numbers."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

FLOOR = 1e-6  # of the power of standardized maps, in which white noise has power 1
WIDEST = 0.15  # relative width of a ring; at least one mode of the box


class Spectra(nn.Module):
    """Logarithms of power spectra and correlations of pairs of fields, in rings of wave numbers.

    Parameters
    ----------
    channels : int
        Number of fields, C.
    map_size : int
        Number of pixels per side, L.

    Attributes
    ----------
    n_features : int
        Number of features, rings x C (C + 1) / 2.
    """

    def __init__(self, channels: int, map_size: int) -> None:
        super().__init__()
        self.map_size = map_size
        rings = _weigh_rings(map_size)
        self.rings: Tensor
        self.register_buffer("rings", rings, persistent=False)
        self.n_features = rings.shape[1] * channels * (channels + 1) // 2

    def forward(self, x: Float[Tensor, "B C L L"]) -> Float[Tensor, "B F"]:
        """Return the log power in each ring, then the correlations of pairs of fields."""
        modes = torch.fft.rfft2(x).flatten(2) / self.map_size  # (B, C, modes)
        power = (modes.real.square() + modes.imag.square()) @ self.rings + FLOOR  # (B, C, rings)
        i, j = torch.triu_indices(x.shape[1], x.shape[1], 1, device=x.device)
        first, second = modes[:, i], modes[:, j]
        cross = (first.real * second.real + first.imag * second.imag) @ self.rings
        cross = cross / (power[:, i] * power[:, j]).sqrt()
        return torch.cat((power.log().flatten(1), cross.flatten(1)), dim=1)


def _weigh_rings(map_size: int) -> Float[Tensor, "modes rings"]:
    """Return the weights of the `rfft2` modes in the mean over each ring of wave numbers.

    Modes outside the first and last column of `rfft2` count twice, for their complex conjugates.
    The mean of the map is in no ring.
    """
    k = torch.fft.fftfreq(map_size, d=1 / map_size)
    columns = torch.arange(map_size // 2 + 1)
    wave_number = (k[:, None].square() + columns.square()).sqrt().flatten()
    counts = torch.full((map_size, map_size // 2 + 1), 2.0)
    counts[:, 0] = counts[:, -1] = 1
    counts[0, 0] = 0
    edges = [0.5]
    while edges[-1] <= map_size / 2**0.5:
        edges.append(edges[-1] + max(1.0, WIDEST * edges[-1]))
    ring = torch.bucketize(wave_number, torch.tensor(edges)) - 1
    weights = nn.functional.one_hot(ring.clamp(min=0), len(edges) - 1) * counts.flatten()[:, None]
    return weights / weights.sum(dim=0)
