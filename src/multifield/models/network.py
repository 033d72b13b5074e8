"""What every architecture has in common: its sizes, its precision, and what it is asked and answers."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

RECORD = "sizes_made_for"  # tensor of a state dict with the sizes of the network
MIN_MAP_SIZE = 16  # [pixels]; smaller maps leave less than two blocks
MAX_MAP_SIZE = 8192  # [pixels]; a damaged file may say anything


class Sizes(NamedTuple):
    """What a network is built from, dropout apart, which a state dict does not record."""

    hidden: int
    channels: int
    map_size: int
    n_parameters: int


class Network(nn.Module):
    """Means and standard deviations of the parameters from periodic maps; a subclass says how.

    A subclass makes its layers in ``__init__``, of the same parameters, and defines `encode` and `infer`;
    `FeatureNetwork` has an `infer` for any features.

    Parameters
    ----------
    hidden : int
        Half the channels of the first block.
    dropout : float
        Probability to drop a feature before each linear layer, in [0, 1).
    channels : int
        Fields in a map, C.
    map_size : int
        Pixels per side L, a power of two from 16.
    n_parameters : int
        Parameters P.

    Attributes
    ----------
    learns_features : bool
        False where features have no weights and are the same for all orientations of a map, so that they
        can be computed once for all epochs.
    records_sizes : bool
        Whether weights hold the sizes they were made for. False where `sizes_of` reads them from shapes.
    conv_dtype : torch.dtype
        In which convolutions are computed; the linear layers are float32 in each.

    Raises
    ------
    ValueError
        If a number is outside its range.
    """

    learns_features = True
    records_sizes = True

    def __init__(
        self,
        hidden: int,
        dropout: float,
        channels: int,
        map_size: int = 256,
        n_parameters: int = 6,
    ) -> None:
        super().__init__()
        _check_sizes(hidden, dropout, channels, map_size, n_parameters)
        self.hidden = hidden
        self.channels = channels
        self.map_size = map_size
        self.n_parameters = n_parameters
        self.dropout = nn.Dropout(dropout)
        self.conv_dtype = torch.float32
        if self.records_sizes:
            self.register_buffer(RECORD, torch.tensor(self.sizes))

    @property
    def sizes(self) -> Sizes:
        """What it was built from."""
        return Sizes(self.hidden, self.channels, self.map_size, self.n_parameters)

    @classmethod
    def sizes_of(cls, state: Mapping[str, Tensor]) -> Sizes:
        """Read the sizes from a state dict of this architecture.

        Raises
        ------
        ValueError
            If a tensor that says them is missing or has another number of axes.
        """
        return Sizes(*require_axes(state, RECORD, 1, cls.__name__).tolist())

    @abstractmethod
    def encode(self, x: Float[Tensor, "B C L L"]) -> Float[Tensor, "B F"]:
        """Reduce maps to features."""

    @abstractmethod
    def infer(self, features: Float[Tensor, "B F"]) -> Float[Tensor, "B two_P"]:
        """Infer the parameters from the features of maps; see `forward`."""

    def forward(self, x: Tensor) -> Float[Tensor, "B two_P"]:
        """Infer the parameters from maps.

        Parameters
        ----------
        x : (B, C, L, L)
            Standardized maps; or (B, F), their features.

        Returns
        -------
        y : (B, 2P)
            Posterior means, then posterior standard deviations (>= 0), in units where the bounds of
            each parameter are 0 and 1.

        Raises
        ------
        ValueError
            If channels or pixels are not those the network was made for.
        """
        return self.infer(x if x.ndim == 2 else self.features(x))

    def features(self, x: Float[Tensor, "B C L L"]) -> Float[Tensor, "B F"]:
        """Reduce maps to the numbers from which the parameters are inferred; see `forward`."""
        self._check_maps(x)
        if self.conv_dtype == torch.float32:
            return self.encode(x)
        with torch.autocast(x.device.type, dtype=self.conv_dtype):
            x = self.encode(x)
        return x.float()  # what few numbers are left decide the answer

    def _check_maps(self, x: Tensor) -> None:
        expected = (self.channels, self.map_size, self.map_size)
        if x.shape[1:] != expected:
            raise ValueError(
                f"x: expected maps of shape (B, C, L, L) with (C, L, L) {expected}, "
                f"got {tuple(x.shape)}"
            )


def require_axes(state: Mapping[str, Tensor], name: str, n_axes: int, architecture: str) -> Tensor:
    """Give a tensor of a state dict; ValueError naming it if it is not there or has other axes."""
    if name not in state:
        raise ValueError(f"missing tensor {name}, so these are no weights of {architecture}")
    if state[name].ndim != n_axes:
        raise ValueError(f"{name}: expected {n_axes} axes, got shape {tuple(state[name].shape)}")
    return state[name]


def check_fits(network: Network, name: str) -> None:
    """Let a network of a user's own infer from two maps, before it is trained.

    Parameters
    ----------
    network : Network
        On the CPU.
    name : str
        Its architecture, for messages.

    Raises
    ------
    ValueError
        If it does not give the means and standard deviations of each map.
    """
    sizes = network.sizes
    maps = torch.zeros(2, sizes.channels, sizes.map_size, sizes.map_size)
    was_training = network.training
    with torch.no_grad():
        y = network.eval()(maps)
    network.train(was_training)
    expected = (2, 2 * sizes.n_parameters)
    if not isinstance(y, Tensor) or y.shape != expected or y.dtype != torch.float32:
        found = f"{tuple(y.shape)} {y.dtype}" if isinstance(y, Tensor) else type(y).__name__
        raise ValueError(
            f"The architecture {name!r} gives {found} for two maps. Expected {expected} float32: the "
            "means of the parameters, then their standard deviations."
        )
    if (y[:, sizes.n_parameters :] < 0).any():
        raise ValueError(
            f"The architecture {name!r} gives negative standard deviations. End `infer` with softplus "
            "or a square."
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
            raise ValueError(f"{name}: expected >= 1, got {value}")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout: expected in [0, 1), got {dropout}")
    if not MIN_MAP_SIZE <= map_size <= MAX_MAP_SIZE or map_size & (map_size - 1):
        raise ValueError(
            f"map_size: expected a power of two from {MIN_MAP_SIZE} to {MAX_MAP_SIZE} pixels, "
            f"got {map_size}"
        )
