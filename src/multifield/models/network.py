"""Base class of all architectures: sizes, precision, inputs and outputs."""

from abc import abstractmethod
from collections.abc import Mapping
from copy import deepcopy
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from multifield.models.heads import HEADS, Head, fits_head, split_members

RECORD = "sizes_made_for"  # name in a state dict of the tensor with the sizes of the network
MIN_MAP_SIZE = 16  # [pixels]; smaller maps have fewer than two blocks
MAX_MAP_SIZE = 8192  # [pixels]; limit for the sizes that a damaged file can claim


class Sizes(NamedTuple):
    """Arguments of a network, except dropout, which a state dict does not contain.

    Attributes
    ----------
    hidden : int
        Width of the network.
    channels : int
        Number of fields per map, C.
    map_size : int
        Number of pixels per side, L.
    n_parameters : int
        Number of parameters P.
    """

    hidden: int
    channels: int
    map_size: int
    n_parameters: int


class Network(nn.Module):
    """Base class of networks that infer means and standard deviations from periodic maps.

    A subclass creates its layers in an ``__init__`` with the same parameters, and defines `encode`
    and `infer`. `FeatureNetwork` has an `infer` for any features.

    Parameters
    ----------
    hidden : int
        Half the number of channels of the first block.
    dropout : float
        Dropout probability before each linear layer, in [0, 1).
    channels : int
        Number of fields per map, C.
    map_size : int
        Number of pixels per side L, a power of two from 16.
    n_parameters : int
        Number of parameters P.
    head : str
        Name of the posterior that the outputs describe, in `multifield.models.heads.HEADS`.

    Attributes
    ----------
    learns_features : bool
        Whether features depend on weights or on the orientation of a map. If False, they are
        computed once for all epochs.
    decays_biases : bool
        Whether weight decay applies to biases too, as in the benchmark.
    records_sizes : bool
        Whether the state dict contains the sizes. If False, `sizes_of` reads them from shapes.
    conv_dtype : torch.dtype
        Type of the convolutions. The linear layers are always float32.

    Raises
    ------
    ValueError
        If a number is outside its range.
    """

    learns_features = True
    decays_biases = True
    records_sizes = True

    def __init__(
        self,
        hidden: int,
        dropout: float,
        channels: int,
        map_size: int = 256,
        n_parameters: int = 6,
        head: str = "diagonal",
    ) -> None:
        super().__init__()
        _check_sizes(hidden, dropout, channels, map_size, n_parameters)
        if head not in HEADS:
            raise ValueError(f"head: Expected {', '.join(HEADS)}, got {head!r}.")
        self.hidden = hidden
        self.channels = channels
        self.map_size = map_size
        self.n_parameters = n_parameters
        self.head: Head = HEADS[head](n_parameters)
        self.dropout = nn.Dropout(dropout)
        self.conv_dtype = torch.float32
        if self.records_sizes:
            self.register_buffer(RECORD, torch.tensor(self.sizes))

    @property
    def sizes(self) -> Sizes:
        """Sizes that the network was created with."""
        return Sizes(self.hidden, self.channels, self.map_size, self.n_parameters)

    @classmethod
    def sizes_of(cls, state: Mapping[str, Tensor]) -> Sizes:
        """Read the sizes from a state dict of this architecture.

        Parameters
        ----------
        state : mapping of str to Tensor
            State dict without prefixes.

        Returns
        -------
        sizes : Sizes
            Arguments to create the network with.

        Raises
        ------
        ValueError
            If a tensor is missing or has the wrong number of axes.
        """
        return Sizes(*require_axes(state, RECORD, 1, cls.__name__).tolist())

    @abstractmethod
    def encode(self, x: Float[Tensor, "B C L L"]) -> Float[Tensor, "B F"]:
        """Reduce maps to features."""

    @abstractmethod
    def infer(self, features: Float[Tensor, "B F"]) -> Float[Tensor, "B O"]:
        """Infer the parameters from features of maps; see `forward`."""

    def forward(self, x: Tensor) -> Float[Tensor, "B O"]:
        """Infer the parameters from maps.

        Parameters
        ----------
        x : (B, C, L, L)
            Standardized maps; or (B, F), features of maps.

        Returns
        -------
        y : (B, O)
            Outputs that describe the posterior by `head`: for ``diagonal`` P means, then P standard
            deviations (>= 0). The prior range of each parameter is [0, 1]. Several posteriors, one
            after the other, are an equal mixture.

        Raises
        ------
        ValueError
            If channels or pixels are not those of the network.
        """
        return self.infer(x if x.ndim == 2 else self.features(x))

    def features(self, x: Float[Tensor, "B C L L"]) -> Float[Tensor, "B F"]:
        """Reduce maps to the features that `infer` takes."""
        self._check_maps(x)
        if self.conv_dtype == torch.float32:
            return self.encode(x)
        with torch.autocast(x.device.type, dtype=self.conv_dtype):
            x = self.encode(x)
        return x.float()  # few numbers are left, so float32 costs little

    def mirror(self) -> None:
        """Prepare a new network for maps that are not periodic. Most need no preparation.

        A network that is prepared has a tensor in its state dict whose name ends in ``mirrored``, by
        which `load_weights` prepares it again.
        """

    def folded(self, dtype: torch.dtype) -> "Network":
        """Return a copy for inference. A subclass may fold layers and convert its convolutions.

        Parameters
        ----------
        dtype : torch.dtype
            Type of the convolutions.

        Returns
        -------
        network : Network
            Copy on the same device.
        """
        return deepcopy(self)

    def _check_maps(self, x: Tensor) -> None:
        expected = (self.channels, self.map_size, self.map_size)
        if x.shape[1:] != expected:
            raise ValueError(
                f"x: Expected maps of shape (B, C, L, L) with (C, L, L) = {expected}, "
                f"got {tuple(x.shape)}."
            )


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


def require_axes(state: Mapping[str, Tensor], name: str, n_axes: int, architecture: str) -> Tensor:
    """Return a tensor of a state dict; ValueError if it is missing or has other axes."""
    if name not in state:
        raise ValueError(f"Missing tensor {name}, so these are not weights of {architecture}.")
    if state[name].ndim != n_axes:
        raise ValueError(f"{name}: Expected {n_axes} axes, got shape {tuple(state[name].shape)}.")
    return state[name]


def check_fits(network: Network, name: str) -> None:
    """Check the output of a user's network for two maps, before it is trained.

    Parameters
    ----------
    network : Network
        Network on the CPU.
    name : str
        Name of its architecture, for messages.

    Raises
    ------
    ValueError
        If the outputs do not describe a posterior for each map; see `Network.forward`.
    """
    sizes = network.sizes
    maps = torch.zeros(2, sizes.channels, sizes.map_size, sizes.map_size)
    was_training = network.training
    with torch.no_grad():
        y = network.eval()(maps)
    network.train(was_training)
    expected = (2, network.head.n_outputs)
    fits = isinstance(y, Tensor) and fits_head(network.head, y, 2) and y.dtype == torch.float32
    if not fits:
        found = f"{tuple(y.shape)} {y.dtype}" if isinstance(y, Tensor) else type(y).__name__
        raise ValueError(
            f"architecture: Expected {name!r} to return {expected} float32 for two maps, the outputs "
            f"of the head {network.head.name!r}, got {found}."
        )
    members = split_members(network.head, y)
    if (members[..., sizes.n_parameters : 2 * sizes.n_parameters] < 0).any():
        raise ValueError(
            f"architecture: Expected standard deviations >= 0, got negative ones from {name!r}. "
            "End `infer` with softplus or a square."
        )


def _check_sizes(
    hidden: int, dropout: float, channels: int, map_size: int, n_parameters: int
) -> None:
    for name, value in (
        ("hidden", hidden),
        ("channels", channels),
        ("n_parameters", n_parameters),
    ):
        if value < 1:
            raise ValueError(f"{name}: Expected >= 1, got {value}.")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout: Expected in [0, 1), got {dropout}.")
    if not MIN_MAP_SIZE <= map_size <= MAX_MAP_SIZE or map_size & (map_size - 1):
        raise ValueError(
            f"map_size: Expected a power of two from {MIN_MAP_SIZE} to {MAX_MAP_SIZE} pixels, "
            f"got {map_size}."
        )
