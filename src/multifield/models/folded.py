"""A copy of a network for inference alone: the same outputs, less to compute."""

from copy import deepcopy
from typing import cast

import torch
from torch import Tensor, nn

from multifield.models.network import Network
from multifield.models.o3_err import O3Err


def for_inference(network: nn.Module, dtype: torch.dtype = torch.float32) -> nn.Module:
    """Make a copy of a network for inference, each batch normalization of an `O3Err` folded.

    With its running mean m and variance v, a batch normalization is the affine map
    gamma (x - m) / sqrt(v + eps) + beta of each channel, and the convolution before it is linear: weights
    are multiplied by gamma / sqrt(v + eps), biases follow. Periodic padding comes before the convolution,
    so the fold is exact at the edges too. Computed in float64 and rounded once.

    Parameters
    ----------
    network : Module
        A `Network`, which is left as it is. Another module, which this knows nothing of, is given back.
    dtype : {torch.float32, torch.bfloat16}, optional
        Of the convolutions; the linear layers stay in float32.

    Returns
    -------
    network : Module
        In evaluation mode, without gradients, on the same device.

    Raises
    ------
    TypeError
        If another module shall compute in another type than float32.
    """
    if isinstance(network, O3Err):
        copy: Network = _fold_all(network, dtype)
    elif isinstance(network, Network):
        copy = deepcopy(network)
    elif dtype != torch.float32:
        raise TypeError(
            f"network: expected one of multifield's to run in {dtype}, got {type(network).__name__}"
        )
    else:
        return network
    copy.conv_dtype = dtype
    copy.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return copy.eval().requires_grad_(False)


def _fold_all(network: O3Err, dtype: torch.dtype) -> O3Err:
    state = network.state_dict()
    with torch.device("meta"):  # no random weights, which nobody would see
        folded = O3Err(
            network.hidden, 0.0, network.channels, network.map_size, network.n_parameters
        )
    for name, module in network.named_children():
        if name.startswith("B"):
            folded.add_module(name, nn.Identity())
            if name != "B01":  # exists in released files and is not used
                _fold(state, cast(nn.BatchNorm2d, module), name)
    kept = {name: state[name].clone() for name in folded.state_dict()}
    folded.load_state_dict(kept, assign=True)
    for name, module in folded.named_children():
        if name.startswith("C"):  # once, and not with every batch
            module.to(dtype)
    return folded


def _fold(state: dict[str, Tensor], normalization: nn.BatchNorm2d, name: str) -> None:
    """Replace weight and bias of the convolution before a batch normalization."""
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
