"""Attribution of posterior means to pixels with integrated gradients.

The attribution of a pixel x_i to an output F is (x_i - b_i) times the mean of dF/dx_i on the
straight line from the baseline b to the map x. Attributions are complete: they sum to F(x) - F(b).

Without other baselines, the baseline is a map without structure: every pixel equals the mean of the
training log maps, which is zero in standardized units. No universe looks like this, and a posterior
mean of it may be far outside the prior. With several maps as baselines, attributions are averages
over them (expected gradients), relative to the average posterior mean of these maps.

References
----------
Sundararajan, Taly & Yan 2017, arXiv:1703.01365. Erion et al. 2021, arXiv:1906.10670.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Float64
from torch import nn

from multifield import camels
from multifield.core.arrays import MapBatch
from multifield.evaluation.joint import prior_ranges
from multifield.models.heads import head_in, split_members
from multifield.training import choose_device, torch_threads

N_STEPS = 64  # of the Gauss-Legendre quadrature; the sums of o3_err are then off by a few percent
MAPS_AT_ONCE = 16  # per forward pass; 64 maps of 256 pixels at hidden 12 need 6 GB with gradients


@dataclass(frozen=True, eq=False)
class Attributions:
    """Attributions of posterior means to pixels.

    Attributes
    ----------
    names : tuple of str
        Names of the P parameters.
    values : (P, B, C, L, L) float32
        Attribution of each pixel, in the unit of the parameter.
    mean : (P, B) float64
        Posterior means of the maps.
    baseline_mean : (P,) float64
        Posterior means of the baseline, averaged over several baselines.
    n_baselines : int
        Number of maps that are baselines. 0 for a map without structure.
    """

    names: tuple[str, ...]
    values: Float32[np.ndarray, "P B C L L"]
    mean: Float64[np.ndarray, "P B"]
    baseline_mean: Float64[np.ndarray, " P"]
    n_baselines: int = 0

    @property
    def gap(self) -> Float64[np.ndarray, "P B"]:
        """Sum over pixels minus (mean - baseline mean): the error of the quadrature."""
        sums: np.ndarray = self.values.sum(axis=(2, 3, 4), dtype=np.float64)
        gap: np.ndarray = sums - (self.mean - self.baseline_mean[:, None])
        return gap


def attribute_means(
    network: nn.Module,
    x: MapBatch,
    names: tuple[str, ...],
    *,
    baselines: Float32[np.ndarray, "K C L L"] | None = None,
    space: camels.ParameterSpace = camels.CMD,
    n_steps: int = N_STEPS,
    device: str = "auto",
    n_threads: int = 0,
) -> Attributions:
    """Attribute the posterior mean of each parameter to the pixels of each map.

    Parameters
    ----------
    network : torch.nn.Module
        Network that takes (B, C, L, L) float32. The first outputs of each member are its means, in
        [0, 1] units, which are averaged. It is moved to the device and runs in evaluation mode.
    x : (B, C, L, L) float32
        Standardized maps.
    names : tuple of str
        Parameters to attribute.
    baselines : (K, C, L, L) float32, optional
        Standardized maps whose attributions are averaged. By default, a map without structure.
    space : ParameterSpace, optional
        Parameters of the outputs of the network. By default CMD's six. Means are in the coordinates
        that the network learns.
    n_steps : int, optional
        Number of quadrature points on the line, over all baselines.
    device : {"auto", "cpu", "cuda", "mps"}, optional
        Device of the network; see `multifield.training.choose_device`.
    n_threads : int, optional
        Number of PyTorch CPU threads. 0 keeps PyTorch's default.

    Returns
    -------
    attributions : Attributions
        Attributions and posterior means.
    """
    from captum.attr import IntegratedGradients  # takes a second to import

    place = choose_device(device)
    was_training = network.training
    network.to(place).eval()
    maps = torch.from_numpy(np.ascontiguousarray(x)).to(place)
    given = np.zeros_like(x[:1]) if baselines is None else np.ascontiguousarray(baselines)
    begins = torch.from_numpy(given).to(place)
    head = head_in(network)

    def infer_means(maps: torch.Tensor) -> torch.Tensor:
        return split_members(head, network(maps)).mean(dim=1)[:, : len(space)]

    gradients = IntegratedGradients(infer_means)
    options = {
        "n_steps": max(1, n_steps // len(begins)),
        "internal_batch_size": max(MAPS_AT_ONCE, len(maps)),
    }
    columns, space = list(space.columns(names)), space.learned or space
    try:
        with torch_threads(n_threads):
            values = [
                sum(
                    gradients.attribute(maps, begin[None], target=column, **options).cpu().numpy()
                    for begin in begins
                )
                / len(begins)
                for column in columns
            ]
            with torch.inference_mode():
                means = infer_means(maps).cpu().double().numpy()
                baseline = infer_means(begins).cpu().double().numpy().mean(axis=0, keepdims=True)
    finally:
        network.train(was_training)
    width = prior_ranges(names, space)[1].astype(np.float32)
    return Attributions(
        names,
        (np.stack(values) * width[:, None, None, None, None]).astype(np.float32),
        space.unscale(means)[:, columns].T.copy(),
        space.unscale(baseline)[0, columns].copy(),
        0 if baselines is None else len(begins),
    )
