from pathlib import Path

import pytest
import torch
from torch import nn

from multifield.models import (
    O3Err,
    SummaryStatistics,
    find_architecture,
    for_inference,
    load_weights,
    save_weights,
)
from multifield.models.heads import split_members
from multifield.models.summary_statistics import LIMIT, MEMBERS
from tests.helpers.torch_threads import one_thread as one_thread

SIDE = 32  # [pixels]
# Of the largest output, which adds up a hundred statistics; sums over 1,024 pixels in another order
ORIENTATION_RTOL = 1e-4


def make_maps(channels: int = 2, n: int = 8) -> torch.Tensor:
    x = torch.randn(n, channels, SIDE, SIDE, generator=torch.Generator().manual_seed(4))
    return x + 0.3 * x.square()


def make_network(**sizes: int) -> SummaryStatistics:
    """A network in which every weight matters, as after training."""
    torch.manual_seed(3)
    network = SummaryStatistics(
        **({"hidden": 2, "channels": 2, "map_size": SIDE} | sizes), dropout=0.3
    )  # type: ignore[arg-type]
    for name in ("FC3.weight", "direct.weight"):
        network.get_parameter(name).data.normal_(0, 0.1)
    network.train()(torch.randn(8, network.channels, network.map_size, network.map_size))
    return network.eval()


def assert_equal(found: torch.Tensor, expected: torch.Tensor) -> None:
    scale = expected.abs().max()
    torch.testing.assert_close(found / scale, expected / scale, rtol=0, atol=ORIENTATION_RTOL)


@pytest.mark.parametrize("orientation", range(8))
def test_the_answer_is_the_same_for_all_orientations(orientation: int) -> None:
    network, x = make_network(), make_maps()
    turned = torch.rot90(x, orientation % 4, dims=(2, 3))
    assert_equal(network(turned.flip(3) if orientation >= 4 else turned), network(x))


def test_the_answer_is_the_same_for_shifts_by_pixels_of_the_last_level() -> None:
    network, x = make_network(), make_maps()
    assert_equal(network(torch.roll(x, (SIDE // 4, -SIDE // 2), dims=(2, 3))), network(x))


def test_features_stand_for_maps() -> None:
    network, x = make_network(), make_maps()
    assert not network.learns_features
    assert torch.equal(network(network.features(x)), network(x))


@pytest.mark.parametrize(("channels", "map_size"), [(1, 16), (3, 32), (2, 128)])
def test_there_are_as_many_features_as_weights(channels: int, map_size: int) -> None:
    network = SummaryStatistics(1, 0.0, channels, map_size)
    found = network.features(torch.randn(2, channels, map_size, map_size))
    assert found.shape == (2, network.FC1.in_features)


def test_statistics_differ_from_map_to_map() -> None:
    std = make_network().features(make_maps(n=32)).std(dim=0)
    n_levels, channels = 4, 2
    assert (std < 1e-5).sum() == n_levels * channels  # the mean of small scales, which is 0


def test_an_untrained_network_answers_the_prior() -> None:
    network = SummaryStatistics(2, 0.3, 1, SIDE).eval()
    y = network(torch.randn(5, 1, SIDE, SIDE))
    mean, std = split_members(network.head, y).chunk(2, dim=2)
    torch.testing.assert_close(mean, torch.full((5, MEMBERS, 6), 0.5))
    torch.testing.assert_close(std, torch.full((5, MEMBERS, 6), 0.3))


def test_maps_unlike_all_others_have_an_answer() -> None:
    network = make_network()
    for x in (torch.zeros(1, 2, SIDE, SIDE), 100 * make_maps()):
        y = network(x)
        assert y.isfinite().all()
        assert (split_members(network.head, y)[:, :, 6:] > 0).all()
    assert (
        network.standardize(network.features(100 * make_maps())).abs().max()
        == LIMIT / network.channels
    )


def test_every_parameter_of_the_members_has_a_gradient() -> None:
    network = make_network().train()
    network(make_maps(n=32), torch.arange(32) % MEMBERS).square().sum().backward()
    for name, parameter in network.named_parameters():
        if not name.startswith("correct."):  # it is fitted afterwards
            assert parameter.grad is not None
            assert parameter.grad.abs().sum() > 0, name


def test_low_precision_is_not_for_statistics() -> None:
    network, x = make_network(), make_maps()
    expected = network(x)
    assert torch.equal(for_inference(network, torch.bfloat16)(x), expected)


def test_weights_say_what_they_are_of(tmp_path: Path) -> None:
    network = make_network(hidden=3, map_size=16)
    save_weights(tmp_path / "a.pt", network.state_dict())
    loaded = load_weights(tmp_path / "a.pt", architecture="summary_statistics", hidden=3)
    assert loaded.sizes == network.sizes
    x = torch.randn(2, 2, 16, 16)
    assert torch.equal(loaded(x), network(x))


def test_weights_of_another_architecture_are_refused(tmp_path: Path) -> None:
    save_weights(tmp_path / "a.pt", make_network().state_dict())
    with pytest.raises(ValueError, match=r"a\.pt: .* of o3_err, got those of summary_statistics"):
        load_weights(tmp_path / "a.pt", architecture="o3_err")


def test_features_of_several_fields_are_smaller() -> None:
    network = make_network(channels=4)
    assert network.standardize.scale == 1 / 4
    assert make_network(channels=1).standardize.scale is None


def test_weights_of_fields_that_were_not_divided_are_refused(tmp_path: Path) -> None:
    """Weights without the scale of the features have another meaning."""
    state = make_network(channels=3).state_dict()
    del state["standardize.scale"]
    save_weights(tmp_path / "weights.pt", state)
    with pytest.raises(ValueError, match=r"weights\.pt: .*Missing tensor .*standardize\.scale"):
        load_weights(tmp_path / "weights.pt")


def test_it_is_small() -> None:
    with torch.device("meta"):
        published = O3Err(6, 0.2, 1)
    small = SummaryStatistics(4, 0.0, 1)

    def count(network: nn.Module) -> int:
        return sum(parameter.numel() for parameter in network.parameters())

    assert count(small) < count(published) / 15


def test_registry_names_it() -> None:
    assert find_architecture("summary_statistics") is SummaryStatistics


def test_members_are_networks_of_their_own() -> None:
    """The loss of one member leaves the others, and their first weights differ."""
    network = make_network()
    x = network.features(make_maps())
    one = split_members(network.head, network.infer(x))[:, 1]
    one.sum().backward()  # type: ignore[no-untyped-call]
    for name in ("FC2.weight", "FC3.weight", "FC3.bias"):
        gradient = network.get_parameter(name).grad
        assert gradient is not None
        moved = gradient.flatten(1).abs().sum(dim=1) > 0
        assert moved.tolist() == [member == 1 for member in range(MEMBERS)]
    first = SummaryStatistics(2, 0.0, 1, SIDE).get_parameter("FC2.weight")
    assert not torch.equal(first[0], first[1])


def test_mirrored_statistics_are_those_of_the_mirrored_map() -> None:
    """A map beside its mirror images is periodic. Only the spectra have other wave numbers."""
    network, x = make_network(), make_maps()
    mirrored = torch.cat((x, x.flip(3)), dim=3)
    mirrored = torch.cat((mirrored, mirrored.flip(2)), dim=2)
    network.spectra = nn.Flatten()  # takes maps of any size
    of_periodic = network.blocks(mirrored)
    network.mirror()
    of_map = network.blocks(x)
    assert [name for name, _ in of_map] == [name for name, _ in of_periodic]
    for (name, block), (_, expected) in zip(of_map, of_periodic, strict=True):
        if name != "spectra":
            assert_equal(block, expected)


def test_mirrored_networks_say_so_in_their_weights(tmp_path: Path) -> None:
    network, x = make_network(), make_maps()
    network.mirror()
    save_weights(tmp_path / "weights.pt", network.state_dict())
    found = load_weights(tmp_path / "weights.pt")
    assert torch.equal(found(x), network(x))
    assert not torch.equal(make_network()(x), network(x))
