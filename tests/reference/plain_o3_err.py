"""The benchmark's network, written from its description alone, in PyTorch alone; no test.

Nothing of this project is imported: the file also runs as a script, as a reader of weights who does not
have it would. ``python plain_o3_err.py WEIGHTS MAPS.npy OUTPUT.npy`` wraps the network in DataParallel,
loads a file of weights and writes the outputs for float32 maps of shape (B, C, 256, 256).
"""

import sys

import numpy as np
import torch
from torch import Tensor, nn

N_BLOCKS = 6  # 256 pixels to 4


class PlainO3Err(nn.Module):
    """One statement a layer, padded by PyTorch, nothing in place."""

    def __init__(self, hidden: int, channels: int, dropout: float = 0.0) -> None:
        super().__init__()
        c_in = channels
        for k in range(N_BLOCKS):
            c = 2 * hidden * 2**k
            setattr(self, f"C{k}1", nn.Conv2d(c_in, c, 3, 1, 1, padding_mode="circular"))
            setattr(self, f"C{k}2", nn.Conv2d(c, c, 3, 1, 1, padding_mode="circular"))
            setattr(self, f"C{k}3", nn.Conv2d(c, c, 2, 2, 0, padding_mode="circular"))
            for layer in (1, 2, 3):
                setattr(self, f"B{k}{layer}", nn.BatchNorm2d(c))
            c_in = c
        self.C61 = nn.Conv2d(64 * hidden, 128 * hidden, 4, 1, 0, padding_mode="circular")
        self.B61 = nn.BatchNorm2d(128 * hidden)
        self.FC1 = nn.Linear(128 * hidden, 64 * hidden)
        self.FC2 = nn.Linear(64 * hidden, 12)
        self.dropout = nn.Dropout(dropout)
        self.activation = nn.LeakyReLU(0.2)

    def forward(self, image: Tensor) -> Tensor:
        x = self.activation(self.C01(image))  # no batch normalization here, and only here
        layers = [f"{k}{number}" for k in range(N_BLOCKS) for number in (1, 2, 3)]
        for layer in (*layers[1:], "61"):
            convolution, normalization = getattr(self, f"C{layer}"), getattr(self, f"B{layer}")
            x = self.activation(normalization(convolution(x)))
        x = self.dropout(x.view(len(image), -1))
        x = self.dropout(self.activation(self.FC1(x)))
        y = self.FC2(x)
        return torch.cat((y[:, :6], y[:, 6:] ** 2), dim=1)


def main(weights: str, maps: str, output: str) -> None:
    state = torch.load(weights, map_location=torch.device("cpu"))
    hidden, channels = state["module.C01.weight"].shape[0] // 2, state["module.C01.weight"].shape[1]
    network = nn.DataParallel(PlainO3Err(hidden, channels, dropout=0.3))
    network.load_state_dict(state)
    network.eval()
    with torch.no_grad():
        np.save(output, network(torch.from_numpy(np.load(maps))).numpy())


if __name__ == "__main__":
    main(*sys.argv[1:])
