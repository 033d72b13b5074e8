"""This project and plain code for the benchmark's network read each other's weights."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from multifield.models import O3Err, load_weights, save_weights
from tests.helpers.tolerances import CHANNELS_LAST_RTOL, NETWORK_RTOL
from tests.reference import plain_o3_err
from tests.reference.plain_o3_err import PlainO3Err

# every width of the search space and every number of channels, wide networks with many channels too
SIZES = [
    (6, 1), (6, 13), (6, 7), (7, 2), (7, 8), (8, 3), (8, 9),
    (9, 4), (10, 5), (11, 6), (10, 10), (11, 11), (12, 12),
]  # fmt: skip


def make_plain(hidden: int, channels: int) -> PlainO3Err:
    """A network with statistics as after training, so that each layer matters."""
    torch.manual_seed(100 * hidden + channels)
    network = PlainO3Err(hidden, channels)
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            # PyTorch's own begin lets a map fade from layer to layer, and biases alone are left
            torch.nn.init.kaiming_normal_(module.weight)
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2.5)
            module.weight.data.uniform_(0.7, 1.4)  # keeps the signal's size from layer to layer
            module.bias.data.normal_(0, 0.2)
    return network.eval()


def make_pair(hidden: int, channels: int) -> tuple[O3Err, PlainO3Err]:
    """Our network and a plain one with the same weights."""
    plain = make_plain(hidden, channels)
    with torch.device("meta"):  # the numbers come with the state
        network = O3Err(hidden, 0.3, channels).eval()
    network.load_state_dict(plain.state_dict(), assign=True)
    return network, plain


def make_maps(channels: int) -> torch.Tensor:
    """Two maps of different brightness and contrast: the network averages noise out."""
    noise = torch.randn(2, channels, 256, 256, generator=torch.Generator().manual_seed(channels))
    return noise * torch.tensor([0.5, 2.0])[:, None, None, None] + noise[:, :, :1, :1]


def assert_same_outputs(
    ours: torch.Tensor, theirs: torch.Tensor, rtol: float = NETWORK_RTOL
) -> None:
    """Differences of means and standard deviations, relative to the largest of each.

    The outputs of the two maps must differ by far more, or the comparison would show little.
    """
    for part in (slice(0, 6), slice(6, 12)):
        scale = theirs[:, part].abs().max()
        assert (ours[:, part] - theirs[:, part]).abs().max() < rtol * scale
        assert (theirs[0, part] - theirs[1, part]).abs().max() > 0.05 * scale


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
    network, plain, x = *make_pair(hidden, channels), make_maps(channels)
    with torch.inference_mode():
        assert_same_outputs(network(x), plain(x))


@pytest.mark.parametrize(("hidden", "channels"), [(6, 7), (8, 3), (12, 12)])
def test_inference_agrees_in_the_layout_that_evaluation_uses(hidden: int, channels: int) -> None:
    network, plain, x = *make_pair(hidden, channels), make_maps(channels)
    with torch.inference_mode():
        theirs = plain(x)  # before its tensors, which are shared, change their layout
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        ours = network(x.to(memory_format=torch.channels_last))
    assert_same_outputs(ours, theirs, CHANNELS_LAST_RTOL)


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
