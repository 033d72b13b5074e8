"""Views of maps: what is left of a batch after a part of it is removed.

A view takes and returns (B, C, L, L) maps. The same views are applied to the maps of a trained
network and to the maps that statistics are computed from.
"""

from collections.abc import Callable
from functools import partial
from math import pi

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from multifield import camels
from multifield.config.studies import ExplainConfig

MapTensor = Float[Tensor, "B C L L"]
View = Callable[[Tensor], Tensor]

CLASSES = ("voids", "sheets and filaments", "knots")
"""Environments by rising density of the smoothed map."""
DENSITIES = ("Mtot", "Mcdm", "Mgas")  # fields that define environments, the first that is there


def unchanged(x: MapTensor) -> MapTensor:
    """Return the maps."""
    return x


def wave_numbers(map_size: int, box: float = camels.BOX_SIZE) -> Float[Tensor, "L half"]:
    """Compute the moduli of the wave vectors of ``rfft2`` [h/Mpc]."""
    full = torch.fft.fftfreq(map_size, 1 / map_size)
    half = torch.fft.rfftfreq(map_size, 1 / map_size)
    return 2 * pi / box * torch.hypot(full[:, None], half)


def nyquist(map_size: int, box: float = camels.BOX_SIZE) -> float:
    """Compute the Nyquist wave number of a map [h/Mpc]."""
    return pi * map_size / box


def _filter(x: MapTensor, transfer: Float[Tensor, "L half"]) -> MapTensor:
    modes = torch.fft.rfft2(x) * transfer.to(x.device)
    filtered: Tensor = torch.fft.irfft2(modes, s=x.shape[-2:])
    return filtered


def low_pass(x: MapTensor, k: float, box: float = camels.BOX_SIZE) -> MapTensor:
    """Keep the modes below a wave number, with the mean.

    Parameters
    ----------
    x : (B, C, L, L)
        Periodic maps.
    k : float
        Wave number [h/Mpc].
    box : float, optional
        Side of the maps [Mpc/h].

    Returns
    -------
    filtered : (B, C, L, L)
        Low-passed maps.
    """
    return _filter(x, (wave_numbers(x.shape[-1], box) < k).float())


def high_pass(x: MapTensor, k: float, box: float = camels.BOX_SIZE) -> MapTensor:
    """Keep the modes from a wave number on; see `low_pass`, whose result is the rest."""
    return _filter(x, (wave_numbers(x.shape[-1], box) >= k).float())


def smooth(x: MapTensor, width: float) -> MapTensor:
    """Smooth periodic maps with a Gaussian.

    Parameters
    ----------
    x : (B, C, L, L)
        Periodic maps.
    width : float
        Standard deviation of the Gaussian [pixels].

    Returns
    -------
    smoothed : (B, C, L, L)
        Smoothed maps.
    """
    per_pixel = wave_numbers(x.shape[-1], box=float(x.shape[-1]))
    return _filter(x, torch.exp(-0.5 * (per_pixel * width).square()))


def remove_mean(x: MapTensor) -> MapTensor:
    """Subtract the mean of each map."""
    return x - x.mean(dim=(2, 3), keepdim=True)


def find_classes(
    x: MapTensor, channel: int, width: float, edges: tuple[float, ...]
) -> list[Bool[Tensor, "B 1 L L"]]:
    """Divide the pixels of each map into classes of equal share by density.

    Parameters
    ----------
    x : (B, C, L, L)
        Maps.
    channel : int
        Channel of the density.
    width : float
        Standard deviation of the Gaussian that smooths the density [pixels].
    edges : tuple of float
        Shares of the pixels below each edge between classes, rising.

    Returns
    -------
    classes : list of (B, 1, L, L) bool
        Mask of each class. Each pixel is in one of them.
    """
    density = smooth(x[:, [channel]], width)
    ordered = density.flatten(1).sort(dim=1).values
    n = ordered.shape[1]
    heights = [ordered[:, round(edge * n), None, None, None] for edge in edges]
    above = [torch.ones_like(density, dtype=torch.bool), *(density >= each for each in heights)]
    return [one & ~next_one for one, next_one in zip(above, [*above[1:], ~above[0]], strict=True)]


def mask_classes(
    x: MapTensor,
    channel: int,
    width: float,
    edges: tuple[float, ...],
    masked: tuple[int, ...],
) -> MapTensor:
    """Replace the pixels of some classes by the mean of their class in each map.

    The mean of the map and of each class stay. All structure inside the class is removed.

    Parameters
    ----------
    x : (B, C, L, L)
        Maps. Classes of all channels are those of the density.
    channel, width, edges
        Arguments of `find_classes`.
    masked : tuple of int
        Numbers of the masked classes.

    Returns
    -------
    masked : (B, C, L, L)
        Masked maps.
    """
    classes = find_classes(x, channel, width, edges)
    for each in (classes[number] for number in masked):
        share = each.float().mean(dim=(2, 3), keepdim=True)
        mean = (x * each).mean(dim=(2, 3), keepdim=True) / share.clamp(min=1e-9)
        x = torch.where(each, mean, x)
    return x


def density_channel(fields: tuple[str, ...]) -> int:
    """Find the channel whose density defines environments: total, dark or gas mass, or the first."""
    return next((fields.index(name) for name in DENSITIES if name in fields), 0)


def list_views(
    config: ExplainConfig, fields: tuple[str, ...], box: float = camels.BOX_SIZE
) -> dict[str, View]:
    """List all views of the explanation.

    Parameters
    ----------
    config : ExplainConfig
        Scales, widths and environments.
    fields : tuple of str
        Names of the channels.
    box : float, optional
        Side of the maps [Mpc/h].

    Returns
    -------
    views : dict of str to callable
        Views by name; see `name_view`.
    """
    views: dict[str, View] = {"maps": unchanged, "without mean": remove_mean}
    for k in config.k_cuts:
        views[name_view("below", k)] = partial(low_pass, k=k, box=box)
        views[name_view("above", k)] = partial(high_pass, k=k, box=box)
    for width in config.smoothing_widths:
        views[name_view("smoothed", width)] = partial(smooth, width=width)
    for number, name in enumerate(CLASSES):
        others = tuple(other for other in range(len(CLASSES)) if other != number)
        for word, masked in (("without", (number,)), ("only", others)):
            views[f"{word} {name}"] = partial(
                mask_classes,
                channel=density_channel(fields),
                width=config.density_width,
                edges=(config.void_share, 1 - config.knot_share),
                masked=masked,
            )
    return views


def name_view(kind: str, number: float) -> str:
    """Name the view ``below`` or ``above`` a wave number, or ``smoothed`` by a width."""
    return f"{kind} {number:g}"
