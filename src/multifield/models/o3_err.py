"""The benchmark's convolutional network, `o3_err`."""

from collections.abc import Mapping
from copy import deepcopy
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from multifield.models.batch_norm import BatchNorm2d
from multifield.models.heads import count_parameters, split_outputs
from multifield.models.network import Network, Sizes, require_axes
from multifield.models.padding import pad_periodic

NEGATIVE_SLOPE = 0.2  # of every LeakyReLU; the benchmark's


class O3Err(Network):
    """The benchmark's network: means and standard deviations of the parameters from maps.

    Block k has c_k = 2 hidden 2^k channels and halves the map. It consists of conv 3x3, conv 3x3
    and conv 2x2 with stride 2. Blocks follow until the map has 4 x 4 pixels. Then come a conv 4x4
    without padding to twice the channels, and two linear layers. Batch normalization and LeakyReLU
    follow every convolution. The first convolution has LeakyReLU alone: its batch normalization
    ``B01`` is in released files but unused.

    Parameters
    ----------
    hidden : int
        Half the number of channels of the first block; 6 to 12 in the benchmark.
    dropout : float
        Dropout probability before each linear layer, in [0, 1).
    channels : int
        Number of fields per map, C.
    map_size : int
        Number of pixels per side L, a power of two from 16. The benchmark's 256 gives six blocks.
        Each halving removes the last one.
    n_parameters : int
        Number of parameters P.
    head : str
        Name of the posterior that the outputs describe; see `Network`.

    Raises
    ------
    ValueError
        If a number is outside its range.

    Notes
    -----
    For 256 pixels, names and shapes of the state dict are those of the released files.

    References
    ----------
    Villaescusa-Navarro et al. 2021, arXiv:2109.10915; code released with the CAMELS Multifield
    Dataset.
    """

    records_sizes = False

    def __init__(
        self,
        hidden: int,
        dropout: float,
        channels: int,
        map_size: int = 256,
        n_parameters: int = 6,
        head: str = "diagonal",
    ) -> None:
        super().__init__(hidden, dropout, channels, map_size, n_parameters, head)
        self.n_blocks = map_size.bit_length() - 3  # log2(L) - 2: each block halves, down to 4 x 4

        c_in = channels
        for block in range(self.n_blocks):
            c_block = 2 * hidden * 2**block
            self._add_layer(f"{block}1", c_in, c_block, kernel=3)
            self._add_layer(f"{block}2", c_block, c_block, kernel=3)
            self._add_layer(f"{block}3", c_block, c_block, kernel=2, stride=2)
            c_in = c_block
        self._add_layer(f"{self.n_blocks}1", c_in, 2 * c_in, kernel=4)

        self.FC1 = nn.Linear(2 * c_in, c_in)
        self.FC2 = nn.Linear(c_in, self.head.n_outputs)
        self._initialize()

    @classmethod
    def sizes_of(cls, state: Mapping[str, Tensor]) -> Sizes:
        """Read the sizes from a state dict; see `Network.sizes_of`."""
        channels = require_axes(state, "C01.weight", 4, "o3_err").shape[1]
        n_outputs = require_axes(state, "FC2.weight", 2, "o3_err").shape[0]
        n_blocks = sum(name.startswith("C") and name.endswith("3.weight") for name in state)
        # use the largest tensor: a small damaged one could claim a network of any size
        c_last = require_axes(state, f"C{n_blocks}1.weight", 4, "o3_err").shape[0]
        # each block halves the map, down to 4 x 4
        return Sizes(
            c_last // 2 ** (n_blocks + 1),
            channels,
            2 ** (n_blocks + 2),
            count_parameters(state, n_outputs),
        )

    def _add_layer(self, name: str, c_in: int, c_out: int, kernel: int, stride: int = 1) -> None:
        self.add_module(f"C{name}", nn.Conv2d(c_in, c_out, kernel, stride))
        self.add_module(f"B{name}", BatchNorm2d(c_out))

    def _initialize(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight)

    def _layer(self, name: str, x: Tensor, *, pads: bool) -> Tensor:
        """Convolve, normalize and activate; with `pads`, pad periodically for the next layer."""
        x = self.get_submodule(f"C{name}")(x)
        if name != "01":
            x = self.get_submodule(f"B{name}")(x)
        if pads:
            return pad_periodic(x, NEGATIVE_SLOPE)
        # in place: the backward passes of the layers before do not need their output
        return nn.functional.leaky_relu_(x, NEGATIVE_SLOPE)

    def encode(self, x: Tensor) -> Tensor:
        """Convolve maps, block by block; see `Network.encode`."""
        x = pad_periodic(x)
        for k in range(self.n_blocks):
            x = self._layer(f"{k}1", x, pads=True)  # (B, c_k, L_k + 2, L_k + 2)
            x = self._layer(f"{k}2", x, pads=False)  # (B, c_k, L_k, L_k)
            x = self._layer(f"{k}3", x, pads=k + 1 < self.n_blocks)  # (B, c_k, L_k / 2 [+ 2], ...)
        return self._layer(f"{self.n_blocks}1", x, pads=False).flatten(1)  # (B, 2 c_last)

    def features(self, x: Tensor) -> Tensor:
        """Reduce maps to the last hidden layer, (B, c_last); see `Network.features`."""
        x = self.dropout(super().features(x))  # (B, 2 c_last)
        return nn.functional.leaky_relu_(self.FC1(x), NEGATIVE_SLOPE)

    def infer(self, features: Tensor) -> Tensor:
        """Infer the parameters from the last hidden layer; see `Network.infer`."""
        outputs: Tensor = self.FC2(self.dropout(features))
        mean, root_std, others = split_outputs(outputs, self.n_parameters)
        return torch.cat((mean, root_std.square(), others), dim=1)

    def folded(self, dtype: torch.dtype) -> "O3Err":
        """Return a copy with each batch normalization folded into the convolution before it.

        With running statistics, a batch normalization is an affine map of each channel, and the
        convolution before it is linear. Periodic padding comes before the convolution, so the fold
        is exact at the edges. It is computed in float64 and rounded once.

        Parameters
        ----------
        dtype : torch.dtype
            Type of the convolutions.

        Returns
        -------
        network : O3Err
            Copy on the same device.
        """
        copy = deepcopy(self)
        for name in dict(self.named_children()):
            if name.startswith("C"):
                convolution = cast(nn.Conv2d, copy.get_submodule(name))
                if name != "C01":  # B01 is in released files, but unused
                    _fold(convolution, cast(nn.BatchNorm2d, self.get_submodule(f"B{name[1:]}")))
                convolution.to(dtype)  # once here, instead of in every batch
            if name.startswith("B"):
                copy.add_module(name, nn.Identity())
        return copy


def _fold(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    """Fold a batch normalization into the weight and bias of a convolution."""
    tensors = conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.weight, norm.bias
    # MPS has no float64
    weight, bias, *others = (cast(Tensor, each).detach().cpu().double() for each in tensors)
    mean, var, gamma, beta = others
    folded = fuse_conv_bn_weights(weight, bias, mean, var, norm.eps, gamma, beta)
    with torch.no_grad():
        for parameter, value in zip((conv.weight, conv.bias), folded, strict=True):
            cast(Tensor, parameter).copy_(value)
