"""Weights travel both ways between this project and plain code for the benchmark's network."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from multifield.models import O3Err, load_weights, save_weights
from tests.reference import plain_o3_err
from tests.reference.plain_o3_err import PlainO3Err
from tests.tolerances import NETWORK_RTOL

# every width of the search space and every number of channels, wide networks with many channels too
SIZES = [
    (6, 1), (6, 13), (6, 7), (7, 2), (7, 8), (8, 3), (8, 9),
    (9, 4), (10, 5), (11, 6), (10, 10), (11, 11), (12, 12),
]  # fmt: skip


def make_plain(hidden: int, channels: int) -> PlainO3Err:
    """A network with statistics as training leaves them, so that each layer matters."""
    torch.manual_seed(100 * hidden + channels)
    network = PlainO3Err(hidden, channels)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.2, 1.0)
            module.weight.data.uniform_(0.8, 1.6)
            module.bias.data.normal_(0, 0.2)
    return network.eval()


def make_maps(channels: int, n_maps: int = 2) -> torch.Tensor:
    return torch.randn(
        n_maps, channels, 256, 256, generator=torch.Generator().manual_seed(channels)
    )


def assert_same_outputs(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    """Means and standard deviations apart, each relative to its own largest output."""
    for part in (slice(0, 6), slice(6, 12)):
        scale = theirs[:, part].abs().max()
        error = (ours[:, part] - theirs[:, part]).abs().max() / scale
        assert error < NETWORK_RTOL
    assert (theirs[0] - theirs[1]).abs().max() > 100 * NETWORK_RTOL * scale  # the maps matter


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize(("hidden", "channels"), [(6, 1), (7, 3)])
def test_released_forms_of_a_file_give_the_network(
    hidden: int, channels: int, prefix: str, tmp_path: Path
) -> None:
    plain, x = make_plain(hidden, channels), make_maps(channels)
    state = {prefix + name: tensor for name, tensor in plain.state_dict().items()}
    torch.save(state, tmp_path / "a.pt")
    network = load_weights(tmp_path / "a.pt", hidden=hidden, channels=channels, map_size=256)
    with torch.inference_mode():
        assert_same_outputs(network(x), plain(x))


@pytest.mark.parametrize(("hidden", "channels"), SIZES)
def test_inference_agrees_with_a_plain_implementation(hidden: int, channels: int) -> None:
    plain, x = make_plain(hidden, channels), make_maps(channels)
    with torch.device("meta"):  # the numbers come with the state
        network = O3Err(hidden, 0.3, channels).eval()
    network.load_state_dict(plain.state_dict(), assign=True)
    with torch.inference_mode():
        assert_same_outputs(network(x), plain(x))


def test_pairs_cover_every_width_and_every_number_of_channels() -> None:
    assert {hidden for hidden, _ in SIZES} == set(range(6, 13))
    assert {channels for _, channels in SIZES} == set(range(1, 14))


def test_our_file_loads_where_this_project_is_not(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network, x = O3Err(6, 0.3, 2).eval(), make_maps(2)
    save_weights(tmp_path / "a.pt", network.state_dict())
    np.save(tmp_path / "x.npy", x.numpy())
    script = Path(plain_o3_err.__file__)
    assert "multifield" not in script.read_text()
    files = [str(tmp_path / name) for name in ("a.pt", "x.npy", "y.npy")]
    subprocess.run([sys.executable, str(script), *files], check=True)
    with torch.inference_mode():
        assert_same_outputs(network(x), torch.from_numpy(np.load(tmp_path / "y.npy")))
