"""Test-time augmentation by periodic shifts: a map moved around its box is as good a map."""

from collections.abc import Sequence

import numpy as np
import torch

from multifield.data import MapLoader
from multifield.evaluation.prediction import predict
from multifield.evaluation.results import Results
from multifield.models import for_inference


class Shifted(torch.nn.Module):
    """A network that sees every map shifted periodically.

    Parameters
    ----------
    network : torch.nn.Module
        Takes (B, C, L, L).
    shift : (int, int)
        Rows and columns [pixels].
    """

    def __init__(self, network: torch.nn.Module, shift: tuple[int, int]) -> None:
        super().__init__()
        self.network = network
        self.shift = shift

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Shift, then infer."""
        shifted = torch.roll(x, self.shift, dims=(-2, -1))
        output: torch.Tensor = self.network(shifted)  # (B, 12)
        return output


def predict_shifted(
    network: torch.nn.Module,
    loader: MapLoader,
    orientations: Sequence[int],
    *,
    n_shifts: int,
    seed: int,
    map_size: int,
    device: str = "auto",
    n_threads: int = 0,
) -> Results:
    """Infer the parameters of every map at random shifts, in each orientation.

    `o3_err` halves its maps six times, so its output repeats under shifts by 64 pixels only.

    Parameters
    ----------
    network, loader, orientations, device, n_threads
        As for `predict`.
    n_shifts : int
        Shifts, uniform over the map, the same for all maps; the unshifted map is not among them but
        by chance.
    seed : int
        Of the shifts.
    map_size : int
        [pixels]

    Returns
    -------
    results : Results
        Rows ordered (shift, orientation, simulation, map).

    Raises
    ------
    ValueError
        If `n_shifts` is not >= 1.
    """
    if n_shifts < 1:
        raise ValueError(f"n_shifts: expected >= 1, got {n_shifts}")
    shifts = np.random.default_rng(seed).integers(0, map_size, (n_shifts, 2))
    network = for_inference(network)
    looks = [
        predict(
            Shifted(network, (int(down), int(right))),
            loader,
            orientations,
            device=device,
            n_threads=n_threads,
        )
        for down, right in shifts
    ]
    tables = ([getattr(look, name) for look in looks] for name in ("theta", "mean", "std"))
    theta, mean, std = (np.concatenate(table) for table in tables)
    return Results(theta, mean, std, looks[0].inferred)
