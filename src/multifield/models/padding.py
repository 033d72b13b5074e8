"""Padding of maps: periodic, fused with the activation, or mirrored at the edges."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

# Public operations with an `out` argument, which `torch.nn.functional` does not offer.
_leaky_relu = torch.ops.aten.leaky_relu.out
_leaky_relu_backward = torch.ops.aten.leaky_relu_backward.grad_input


Pad = Callable[[Tensor], Tensor]
"""Function that pads maps (B, C, L, L) by one pixel on each side."""


def pad_mirrored(x: Float[Tensor, "B C L L"]) -> Float[Tensor, "B C M M"]:
    """Pad maps that are not periodic: mirror them at their edges by one pixel.

    Parameters
    ----------
    x : (B, C, L, L)
        Maps.

    Returns
    -------
    padded : (B, C, L + 2, L + 2)
        Padded maps.
    """
    return torch.nn.functional.pad(x, (1, 1, 1, 1), mode="replicate")


def pad_periodic(
    x: Float[Tensor, "B C L L"], negative_slope: float = 1.0
) -> Float[Tensor, "B C M M"]:
    """Apply LeakyReLU to maps and pad them periodically by one pixel on each side.

    Parameters
    ----------
    x : (B, C, L, L)
        Maps.
    negative_slope : float, optional
        Slope of the LeakyReLU for negative values. 1 pads only.

    Returns
    -------
    padded : (B, C, L + 2, L + 2)
        Padded maps, channels last if `x` is.

    Notes
    -----
    The activation is written directly into the padded array, so nothing is copied. The gradient
    takes one pass. Concatenation and its gradient took a fifth of a training step.
    """
    if torch.compiler.is_compiling():  # torch.compile fuses plain operations into one pass
        x = torch.nn.functional.leaky_relu(x, negative_slope)
        x = torch.cat((x[:, :, -1:], x, x[:, :, :1]), dim=2)
        return torch.cat((x[:, :, :, -1:], x, x[:, :, :, :1]), dim=3)
    padded: Tensor = _ActivateAndPad.apply(x, negative_slope)  # type: ignore[no-untyped-call]
    return padded


class _ActivateAndPad(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, negative_slope: float) -> Tensor:
        b, c, height, width = x.shape
        padded = torch.empty(
            (b, c, height + 2, width + 2),
            dtype=x.dtype,
            device=x.device,
            memory_format=_memory_format(x),
        )
        _leaky_relu(x, negative_slope, out=padded[:, :, 1:-1, 1:-1])
        padded[:, :, 1:-1, 0] = padded[:, :, 1:-1, -2]
        padded[:, :, 1:-1, -1] = padded[:, :, 1:-1, 1]
        padded[:, :, 0] = padded[:, :, -2]  # with the corners
        padded[:, :, -1] = padded[:, :, 1]
        ctx.negative_slope = negative_slope
        ctx.save_for_backward(padded)
        return padded

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (padded,) = ctx.saved_tensors
        activated = padded[:, :, 1:-1, 1:-1]
        inner = torch.empty(
            activated.shape,
            dtype=gradient.dtype,
            device=gradient.device,
            memory_format=_memory_format(padded),
        )

        def pull_back(gradient: Tensor, activated: Tensor, out: Tensor) -> Tensor:
            result: Tensor = _leaky_relu_backward(
                gradient, activated, ctx.negative_slope, True, grad_input=out
            )
            return result

        pull_back(gradient[:, :, 1:-1, 1:-1], activated, inner)
        # each pixel of an edge has a copy on the other side, whose gradient is added
        for copy, edge in ((0, -1), (-1, 0)):
            column = gradient[:, :, 1:-1, copy]
            pixels = activated[:, :, :, edge]
            inner[:, :, :, edge] += pull_back(column, pixels, torch.empty_like(column))
            row = gradient[:, :, copy, 1:-1].clone()
            row[:, :, -1] += gradient[:, :, copy, 0]  # corners are copies of corners
            row[:, :, 0] += gradient[:, :, copy, -1]
            pixels = activated[:, :, edge]
            inner[:, :, edge] += pull_back(row, pixels, torch.empty_like(row))
        return inner, None


def _memory_format(x: Tensor) -> torch.memory_format:
    # a view into padded maps is not contiguous, but its strides show the memory format
    channels_last = x.stride(1) == 1 and x.shape[1] > 1
    return torch.channels_last if channels_last else torch.contiguous_format
