"""Channels padded with zeros to a multiple, for the matrix units of a GPU.

Whether a GPU gains by it has not been measured, so it is not in the package.
"""

from collections.abc import Mapping

from torch import Tensor, nn

MULTIPLE = 8  # bfloat16 convolutions use tensor cores if channels are a multiple of 8


def pad_channels(network: nn.Module, multiple: int = MULTIPLE) -> None:
    """Pad the channels between convolutions with zeros, in place.

    Outputs and the other gradients change by rounding at most. The gradients of what is added are
    exactly zero, and so are AdamW's updates, so the padded network stays the same network.

    Parameters
    ----------
    network : Module
        Network that starts with a convolution of maps, whose fields are not padded. The channels
        of its last convolution must be a multiple already, as they are in `O3Err`.
    multiple : int, optional
        Divisor of the padded number of channels.
    """
    first = True
    for module in network.modules():
        if not isinstance(module, nn.Conv2d | nn.BatchNorm2d):
            continue
        n_axes = 1 if first else 2  # of a weight: channels out, channels in
        for name, tensor in list(module.named_parameters(recurse=False)):
            setattr(module, name, nn.Parameter(_widen(tensor.detach(), n_axes, multiple)))
        for name, tensor in list(module.named_buffers(recurse=False)):
            setattr(module, name, _widen(tensor, n_axes, multiple))
        first = False


def _widen(tensor: Tensor, n_axes: int, multiple: int) -> Tensor:
    added = [-n % multiple if axis < n_axes else 0 for axis, n in enumerate(tensor.shape)]
    # the last axis comes first; the memory format is kept
    return nn.functional.pad(tensor, [n for last in reversed(added) for n in (0, last)])


def unpadded(state: Mapping[str, Tensor], like: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the state dict of a padded network without what was added.

    Parameters
    ----------
    state : mapping of str to Tensor
        State dict of the padded network.
    like : mapping of str to Tensor
        State dict of a network with the same sizes.

    Returns
    -------
    unpadded : dict of str to Tensor
        Views of `state` with the shapes of `like`.
    """
    return {name: state[name][tuple(map(slice, each.shape))] for name, each in like.items()}
