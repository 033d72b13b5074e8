"""Posteriors of the maps of a loader by a trained network."""

from collections.abc import Callable, Sequence
from contextlib import closing
from copy import deepcopy
from functools import partial
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from multifield import camels
from multifield.core.arrays import Theta
from multifield.data import MapLoader
from multifield.evaluation.joint import Component, JointPosterior
from multifield.evaluation.results import Results, join_results, joint_results
from multifield.models import Network, for_inference
from multifield.models.heads import DiagonalHead, fits_head, head_in, split_members
from multifield.training import choose_device, on_device, torch_threads
from multifield.training.precision import choose_precision, conv_dtype, set_numerics
from multifield.training.shown_fields import FixedFields


def predict(
    network: torch.nn.Module,
    loader: MapLoader | FixedFields,
    orientations: Sequence[int],
    *,
    device: str = "auto",
    precision: Literal["float32", "bfloat16"] = "float32",
    n_threads: int = 0,
) -> Results:
    """Infer the parameters of every map of a loader in each orientation.

    The network is moved to the device. A copy of it runs in evaluation mode, without gradients and
    with folded batch normalization (`multifield.models.for_inference`). Posteriors are not clipped
    to the prior.

    Parameters
    ----------
    network : torch.nn.Module
        Network that takes (B, C, L, L) float32 and returns the outputs of its head: (B, 12) means,
        then standard deviations, in [0, 1] units, for ``diagonal``.
    loader : MapLoader or FixedFields
        The maps and their true parameters.
    orientations : sequence of int
        Numbers of the symmetries of the square to apply to each map, 0 to 7. The benchmark uses all
        8.
    device : {"auto", "cpu", "cuda", "mps"}, optional
        Device of the network; see `multifield.training.choose_device`.
    precision : {"float32", "bfloat16"}, optional
        Precision of the convolutions. In bfloat16 outputs differ by about 1% of the largest:
        measured 0.1 to 0.9% rms, at most 7%, with random weights.
    n_threads : int, optional
        Number of PyTorch CPU threads. 0 keeps PyTorch's default.

    Returns
    -------
    results : Results
        Physical units, rows ordered (orientation, simulation, map). The truth is the float64 of the
        parameter table. Columns that the loader does not infer are NaN.

    Raises
    ------
    ValueError
        If the outputs of the network are not those of its head or not finite. Also if the batches do not
        contain each map once per orientation, in the order of the loader's `theta`.
    """
    theta = np.tile(np.asarray(loader.theta, dtype=np.float64), (len(orientations), 1))
    place = choose_device(device)
    dtype = conv_dtype(choose_precision(precision, place))
    with torch_threads(n_threads), set_numerics("float32"):
        copy = for_inference(network.to(place), dtype)
        # features that are not learned are equal in all orientations
        alike = isinstance(copy, Network) and not copy.learns_features
        shown = orientations[:1] if alike else orientations
        output, scaled_theta = _run(copy, loader, shown, place)
    n_copies = len(orientations) // max(1, len(shown))
    output, scaled_theta = (np.tile(each, (n_copies, 1)) for each in (output, scaled_theta))
    _check_order(scaled_theta, theta, loader.space)
    space = loader.space
    inferred = tuple(space.names[column] for column in sorted(loader.inferred))
    head = head_in(network)
    if isinstance(head, DiagonalHead) and output.shape[1] == head.n_outputs:
        scaled_mean, scaled_std = np.split(output, 2, axis=1)
        mean, std = space.unscale(scaled_mean), space.unscale_std(scaled_std)
        unused = [column for column in range(len(space)) if column not in loader.inferred]
        mean[:, unused] = np.nan
        std[:, unused] = np.nan
        return Results(theta, mean, std, inferred, None, space, loader.maps_per_simulation)
    head = deepcopy(head).cpu()
    members = split_members(head, torch.from_numpy(output)).unbind(dim=1)
    components = tuple(Component(head, each) for each in members)
    posterior = JointPosterior(components, inferred, space=space)
    return joint_results(theta, posterior, loader.maps_per_simulation)


def _run(
    network: torch.nn.Module,
    loader: MapLoader | FixedFields,
    orientations: Sequence[int],
    device: torch.device,
) -> tuple[Float64[np.ndarray, "M O"], Theta]:
    """Join the outputs of the network and the scaled parameters of all batches."""
    was_training = network.training
    network.eval()
    outputs, thetas = [], []

    try:
        with closing(on_device(loader.ordered(orientations), device)) as batches:
            for batch in batches:
                outputs.append(_forward(network, batch.x))
                thetas.append(batch.theta.cpu().numpy())
    finally:
        network.train(was_training)
    if not outputs:
        raise ValueError("loader: Expected at least one map in one orientation, got none.")
    return np.concatenate(outputs), np.concatenate(thetas)


@torch.inference_mode()
def _forward(network: torch.nn.Module, x: Tensor) -> Float64[np.ndarray, "B O"]:
    output = network(x)
    head = head_in(network)
    if not fits_head(head, output, len(x)):
        expected = (len(x), head.n_outputs)
        raise ValueError(f"network: Expected output {expected}, got {tuple(output.shape)}.")
    values: np.ndarray = output.cpu().double().numpy()  # MPS has no float64: move first
    return values


def _check_order(
    scaled_theta: Float[np.ndarray, "R P"], theta: Theta, space: camels.ParameterSpace
) -> None:
    """Raise ValueError unless every row was predicted beside its own truth.

    A wrong order would look like a network that has learned little, not like a mistake.
    """
    if len(scaled_theta) != len(theta):
        raise ValueError(f"loader: Expected {len(theta)} maps in order, got {len(scaled_theta)}.")
    # float32 rounds [0, 1] units to 6e-8; 1e-5 also covers A = 100 of EX, which scales to 27
    wrong = ~np.isclose(scaled_theta, space.scale(theta), rtol=1e-5, atol=1e-5, equal_nan=True)
    if wrong.any():
        row = int(np.argmax(wrong.any(axis=1)))
        raise ValueError(
            f"loader: Expected maps in the order of its theta, got row {row} with parameters "
            f"{space.unscale(scaled_theta[row : row + 1])[0]} instead of {theta[row]}."
        )


# ---- shifted maps ----


class Viewed(torch.nn.Module):
    """A network that receives every map changed, for instance shifted.

    Parameters
    ----------
    network : torch.nn.Module
        Network that takes (B, C, L, L).
    view : callable
        Change of the maps, (B, C, L, L) to the same shape.
    """

    def __init__(self, network: torch.nn.Module, view: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.network, self.view = network, view

    def forward(self, x: Tensor) -> Tensor:
        """Change the maps and apply the network."""
        output: Tensor = self.network(self.view(x))  # (B, O)
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

    Maps are periodic, so shifts are augmented views of a map. `o3_err` halves its maps six times,
    so its output is unchanged under shifts by 64 pixels only.

    Parameters
    ----------
    network : torch.nn.Module
        As for `predict`.
    loader : MapLoader
        The maps and their true parameters.
    orientations : sequence of int
        Numbers of the symmetries of the square to apply to each map, 0 to 7.
    n_shifts : int
        Number of shifts, uniform over the map and the same for all maps. The unshifted map is not
        included, except by chance.
    seed : int
        Seed of the shifts.
    map_size : int
        Pixels per side.
    device : {"auto", "cpu", "cuda", "mps"}, optional
        As for `predict`.
    n_threads : int, optional
        As for `predict`.

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
        raise ValueError(f"n_shifts: Expected >= 1, got {n_shifts}.")
    shifts = np.random.default_rng(seed).integers(0, map_size, (n_shifts, 2))
    network = for_inference(network)
    looks = [
        predict(
            Viewed(network, partial(torch.roll, shifts=shift, dims=(-2, -1))),
            loader,
            orientations,
            device=device,
            n_threads=n_threads,
        )
        for shift in map(tuple, shifts.tolist())
    ]
    return join_results(looks)
