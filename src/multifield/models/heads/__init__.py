"""Posteriors that the outputs of a network describe: independent Gaussians, or joint ones."""

from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor, nn

from multifield import camels
from multifield.models.heads.autoregressive import AutoregressiveHead
from multifield.models.heads.base import Head, split_outputs
from multifield.models.heads.diagonal import DiagonalHead
from multifield.models.heads.flow import FlowHead

HEADS: dict[str, type[Head]] = {
    kind.name: kind for kind in (DiagonalHead, AutoregressiveHead, FlowHead)
}
"""Heads by their names in the configuration."""


def head_of(state: Mapping[str, Tensor]) -> str:
    """Find the head of the network of a state dict.

    Parameters
    ----------
    state : mapping of str to Tensor
        State dict of a network.

    Returns
    -------
    name : str
        Name of the head in `HEADS`.
    """
    kinds = (kind for kind in (FlowHead, AutoregressiveHead) if kind.mark in state)
    return next((kind.name for kind in kinds), DiagonalHead.name)


def head_in(network: nn.Module) -> Head:
    """Find the head of a network.

    Parameters
    ----------
    network : Module
        Network, which may be wrapped; or any module with means and standard deviations as output.

    Returns
    -------
    head : Head
        Head of the network. `DiagonalHead` for other modules.
    """
    heads = (module for module in network.modules() if isinstance(module, Head))
    return next(heads, DiagonalHead(len(camels.PARAMETERS)))


def fits_head(head: Head, outputs: Tensor, n_maps: int) -> bool:
    """Check the shape of the outputs of a network.

    Parameters
    ----------
    head : Head
        Head of the network.
    outputs : Tensor
        Outputs of the network.
    n_maps : int
        Number of maps B.

    Returns
    -------
    fits : bool
        Whether the shape is (B, K O), for K >= 1 members.
    """
    if outputs.ndim != 2 or len(outputs) != n_maps:
        return False
    n_members, rest = divmod(outputs.shape[1], head.n_outputs)
    return n_members >= 1 and rest == 0


def split_members(head: Head, outputs: Float[Tensor, "B KO"]) -> Float[Tensor, "B K O"]:
    """Split the outputs of a network into those of its members.

    Parameters
    ----------
    head : Head
        Head of the network.
    outputs : (B, K O)
        Outputs of the network: those of K members, one after the other.

    Returns
    -------
    members : (B, K, O)
        Outputs of each member.
    """
    return outputs.reshape(len(outputs), -1, head.n_outputs)


def count_parameters(state: Mapping[str, Tensor], n_outputs: int) -> int:
    """Count the parameters that a network infers.

    Parameters
    ----------
    state : mapping of str to Tensor
        State dict of the network.
    n_outputs : int
        Number of its outputs.

    Returns
    -------
    n_parameters : int
        Number of parameters P.
    """
    mark = state.get(AutoregressiveHead.mark)
    return n_outputs // 2 if mark is None else mark.numel()


__all__ = [
    "HEADS",
    "AutoregressiveHead",
    "DiagonalHead",
    "FlowHead",
    "Head",
    "count_parameters",
    "fits_head",
    "head_in",
    "head_of",
    "split_members",
    "split_outputs",
]
