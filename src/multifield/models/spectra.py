"""Power in rings of wave numbers, and how fields go together in them."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

FLOOR = 1e-6  # of the power of standardized maps, whose white noise has 1
WIDEST = 0.15  # width of a ring over its wave number; one mode of the box at least


class Spectra(nn.Module):
    """Logarithms of the power spectra of maps, and the correlations of each two fields, ring by ring.

    Parameters
    ----------
    channels : int
        Fields, C.
    map_size : int
        Pixels a side, L.

    Attributes
    ----------
    n_features : int
        Rings x C (C + 1) / 2.
    """

    def __init__(self, channels: int, map_size: int) -> None:
        super().__init__()
        self.map_size = map_size
        rings = _weigh_rings(map_size)
        self.rings: Tensor
        self.register_buffer("rings", rings, persistent=False)
        self.n_features = rings.shape[1] * channels * (channels + 1) // 2

    def forward(self, x: Float[Tensor, "B C L L"]) -> Float[Tensor, "B F"]:
        """Give the logarithm of the power in each ring, then the correlations of pairs of fields."""
        modes = torch.fft.rfft2(x).flatten(2) / self.map_size  # (B, C, modes)
        power = (modes.real.square() + modes.imag.square()) @ self.rings + FLOOR  # (B, C, rings)
        i, j = torch.triu_indices(x.shape[1], x.shape[1], 1, device=x.device)
        first, second = modes[:, i], modes[:, j]
        cross = (first.real * second.real + first.imag * second.imag) @ self.rings
        cross = cross / (power[:, i] * power[:, j]).sqrt()
        return torch.cat((power.log().flatten(1), cross.flatten(1)), dim=1)


def _weigh_rings(map_size: int) -> Float[Tensor, "modes rings"]:
    """Weights of the modes of `rfft2` in the mean over each ring of wave numbers; the map's mean is in none.

    A mode that is not in the first or the last column of `rfft2` stands for its complex conjugate too.
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
