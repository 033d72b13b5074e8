"""Copies of networks for inference: same outputs, fewer operations."""

import torch
from torch import nn

from multifield.models.network import Network


def for_inference(network: nn.Module, dtype: torch.dtype = torch.float32) -> nn.Module:
    """Copy a network for inference, with its batch normalizations folded; see `O3Err.folded`.

    Parameters
    ----------
    network : Module
        Network to copy. It stays unchanged. Modules other than a `Network` are returned as is.
    dtype : {torch.float32, torch.bfloat16}, optional
        Type of the convolutions. The linear layers stay in float32.

    Returns
    -------
    network : Module
        Copy in evaluation mode, without gradients, on the same device.

    Raises
    ------
    TypeError
        If `network` is not a `Network` and `dtype` is not float32.
    """
    if not isinstance(network, Network):
        if dtype != torch.float32:
            raise TypeError(
                f"network: Expected a multifield Network for {dtype}, got {type(network).__name__}."
            )
        return network
    copy = network.folded(dtype)
    copy.conv_dtype = dtype
    copy.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return copy.eval().requires_grad_(False)
