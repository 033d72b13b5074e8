"""Copies of networks for inference: same outputs, fewer operations."""

from copy import deepcopy
from typing import cast

import torch
from torch import Tensor, nn

from multifield.models.network import Network
from multifield.models.o3_err import O3Err


def for_inference(network: nn.Module, dtype: torch.dtype = torch.float32) -> nn.Module:
    """Copy a network for inference, with each batch normalization of an `O3Err` folded.

    A batch normalization with running mean m and variance v is an affine map of each channel,
    gamma (x - m) / sqrt(v + eps) + beta. The convolution before it is linear, so its weights are
    multiplied by gamma / sqrt(v + eps) and its biases change accordingly. Periodic padding comes
    before the convolution, so the fold is exact at the edges. It is computed in float64 and rounded
    once.

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
    if isinstance(network, O3Err):
        copy: Network = _fold_all(network, dtype)
    elif isinstance(network, Network):
        copy = deepcopy(network)
    elif dtype != torch.float32:
        raise TypeError(
            f"network: Expected a multifield Network for {dtype}, got {type(network).__name__}."
        )
    else:
        return network
    copy.conv_dtype = dtype
    copy.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return copy.eval().requires_grad_(False)


def _fold_all(network: O3Err, dtype: torch.dtype) -> O3Err:
    state = network.state_dict()
    with torch.device("meta"):  # skips the random initialization
        folded = O3Err(
            network.hidden, 0.0, network.channels, network.map_size, network.n_parameters
        )
    for name, module in network.named_children():
        if name.startswith("B"):
            folded.add_module(name, nn.Identity())
            if name != "B01":  # in released files, but unused
                _fold(state, cast(nn.BatchNorm2d, module), name)
    kept = {name: state[name].clone() for name in folded.state_dict()}
    folded.load_state_dict(kept, assign=True)
    for name, module in folded.named_children():
        if name.startswith("C"):  # once here, instead of in every batch
            module.to(dtype)
    return folded


def _fold(state: dict[str, Tensor], normalization: nn.BatchNorm2d, name: str) -> None:
    """Fold a batch normalization into the weight and bias of the convolution before it."""
    gamma, beta, mean, variance = (
        state[f"{name}.{tensor}"].cpu().double()  # MPS has no float64
        for tensor in ("weight", "bias", "running_mean", "running_var")
    )
    factor = gamma / (variance + normalization.eps).sqrt()  # (c_out,)
    number = name.removeprefix("B")
    weight, bias = (f"C{number}.{tensor}" for tensor in ("weight", "bias"))
    device = state[weight].device
    folded_weight = state[weight].cpu().double() * factor[:, None, None, None]
    folded_bias = (state[bias].cpu().double() - mean) * factor + beta
    state[weight] = folded_weight.float().to(device)
    state[bias] = folded_bias.float().to(device)
