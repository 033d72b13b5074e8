from pathlib import Path

import pytest
import torch
from torch import nn

from multifield.models import (
    BandPowers,
    O3Err,
    find_architecture,
    for_inference,
    load_weights,
    save_weights,
)
from multifield.models.band_powers import SymmetricConv, log_power
from multifield.models.feature_network import RunningStandardization
from multifield.models.padding import pad_periodic
from tests.helpers.tolerances import BFLOAT16_NETWORK_RTOL, EPS32
from tests.helpers.torch_threads import one_thread as one_thread

SIDE = 32  # [pixels]
N_LEVELS = 4  # 32, 16, 8 and 4 pixels
# Of the largest output. Features are logarithms of sums over 1,024 pixels in another order; measured 4e-7.
ORIENTATION_RTOL = 1e-5


def make_network(**sizes: int) -> BandPowers:
    """A network in which every weight matters, as after training."""
    torch.manual_seed(3)
    network = BandPowers(**({"hidden": 2, "channels": 2, "map_size": SIDE} | sizes), dropout=0.3)  # type: ignore[arg-type]
    for name in ("FC3.weight", "direct.weight"):
        network.get_parameter(name).data.normal_(0, 0.1)
    network.train()(make_maps(network))
    return network.eval()


def make_maps(network: BandPowers, n: int = 8) -> torch.Tensor:
    shape = (n, network.channels, network.map_size, network.map_size)
    return torch.randn(shape, generator=torch.Generator().manual_seed(4))


@pytest.mark.parametrize("orientation", range(8))
def test_band_powers_are_the_same_for_all_orientations(orientation: int) -> None:
    network = make_network()
    x = make_maps(network)
    turned = torch.rot90(x, orientation % 4, dims=(2, 3))
    turned = turned.flip(3) if orientation >= 4 else turned
    for level in network.levels[:2]:
        powers = [log_power(level.bands(pad_periodic(each))) for each in (turned, x)]
        assert_equal(*powers)
        x, turned = network.halve(x), network.halve(turned)


def test_the_answer_is_the_same_for_shifts_by_pixels_of_the_last_level() -> None:
    network = make_network()
    x = make_maps(network)
    assert_equal(network(torch.roll(x, (SIDE // 4, -SIDE // 2), dims=(2, 3))), network(x))


def test_the_first_level_is_the_same_for_all_shifts() -> None:
    level = make_network().levels[0]
    x = make_maps(make_network())
    _, features = level(x, None)
    _, shifted = level(torch.roll(x, (3, 5), dims=(2, 3)), None)
    for ours, theirs in zip(shifted, features, strict=True):
        assert_equal(ours, theirs)


def assert_equal(found: torch.Tensor, expected: torch.Tensor) -> None:
    scale = expected.abs().max()
    torch.testing.assert_close(found / scale, expected / scale, rtol=0, atol=ORIENTATION_RTOL)


def test_maps_of_a_batch_do_not_see_each_other_in_evaluation() -> None:
    network = make_network()
    x = make_maps(network)
    assert_equal(network(x)[:3], network(x[:3]))


def test_an_untrained_network_answers_the_prior() -> None:
    y = BandPowers(2, 0.3, 1, SIDE).eval()(torch.randn(5, 1, SIDE, SIDE))
    torch.testing.assert_close(y[:, :6], torch.full((5, 6), 0.5))
    torch.testing.assert_close(y[:, 6:], torch.full((5, 6), 0.3))


def test_standard_deviations_are_positive() -> None:
    network = make_network()
    assert (network(100 * make_maps(network))[:, 6:] > 0).all()


def test_an_empty_map_has_an_answer() -> None:
    network = make_network()
    assert network(torch.zeros(1, 2, SIDE, SIDE)).isfinite().all()


@pytest.mark.parametrize("map_size", [16, 64])
def test_every_parameter_has_a_gradient(map_size: int) -> None:
    network = make_network(map_size=map_size).train()
    network(make_maps(network)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_filters_equal_plain_ones_of_three_weights() -> None:
    conv, x = SymmetricConv(1, 1), torch.randn(2, 1, 16, 16)
    centre, edge, corner = conv.weight.detach()[0, 0]
    plain = centre * x
    for axis in (2, 3):
        plain += edge * (x.roll(1, axis) + x.roll(-1, axis))
    for shift in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        plain += corner * x.roll(shift, (2, 3))
    # nine products in another order
    torch.testing.assert_close(conv(pad_periodic(x)), plain, rtol=0, atol=20 * EPS32)


def test_half_a_map_keeps_its_mean_and_loses_its_smallest_scales() -> None:
    network = make_network(channels=1)
    x = torch.randn(1, 1, SIDE, SIDE)
    assert network.halve(x).mean().item() == pytest.approx(x.mean().item(), abs=10 * EPS32)
    stripes = torch.tensor([1.0, -1.0]).repeat(SIDE // 2).expand(1, 1, SIDE, SIDE)
    assert network.halve(stripes).abs().max() < EPS32  # 1 - 3 + 3 - 1


def test_blind_filters_do_not_see_the_mean() -> None:
    torch.manual_seed(1)
    conv = SymmetricConv(2, 4, n_blind=3)
    seen = conv(torch.full((1, 2, 6, 6), 7.0)).abs().amax(dim=(0, 2, 3))
    assert (seen[:3] < 100 * EPS32).all()  # 18 products of 7
    assert seen[3] > 0.01


def test_power_is_the_mean_square() -> None:
    x = torch.randn(2, 3, 8, 8)
    expected = x.double().square().flatten(2).mean(dim=2).log()
    # the floor of 1e-6 below powers of order 1
    torch.testing.assert_close(log_power(x).double(), expected, rtol=0, atol=3e-6)


def test_features_are_standardized_over_batches() -> None:
    norm, x = RunningStandardization(1), torch.linspace(-1, 3, 400)[:, None]
    order = torch.randperm(400, generator=torch.Generator().manual_seed(5))
    for batch in x[order].split(40):
        norm(batch)
    assert norm.mean.item() == pytest.approx(1, abs=1e-5)  # equal weights: the mean of all, rounded
    # about the mean so far, which lies off the last one by 0.2 of a standard deviation after one batch of 40
    assert norm.var.item() == pytest.approx(x.var().item(), rel=0.1)


def test_evaluation_leaves_the_statistics() -> None:
    norm = RunningStandardization(2).eval()
    norm(torch.randn(5, 2))
    assert norm.n_batches == 0
    assert (norm.mean == 0).all()


@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [(torch.float32, ORIENTATION_RTOL), (torch.bfloat16, BFLOAT16_NETWORK_RTOL)],
)
def test_the_copy_for_inference_gives_the_same(dtype: torch.dtype, tolerance: float) -> None:
    network = make_network()
    x = make_maps(network)
    expected, copy = network(x), for_inference(network.train(), dtype)
    found = copy(x)
    assert not copy.training
    assert network.training
    assert not any(p.requires_grad for p in copy.parameters())
    scale = expected.abs().max()
    torch.testing.assert_close(found / scale, expected / scale, rtol=0, atol=tolerance)


def test_weights_say_what_they_are_of(tmp_path: Path) -> None:
    network = make_network(hidden=3, map_size=64)
    save_weights(tmp_path / "a.pt", network.state_dict())
    loaded = load_weights(tmp_path / "a.pt", architecture="band_powers", hidden=3, map_size=64)
    assert loaded.sizes == network.sizes
    x = make_maps(network)
    assert torch.equal(loaded(x), network(x))


def test_weights_of_another_architecture_are_refused(tmp_path: Path) -> None:
    save_weights(tmp_path / "a.pt", make_network().state_dict())
    with pytest.raises(ValueError, match=r"a\.pt: .* of o3_err, got those of band_powers"):
        load_weights(tmp_path / "a.pt", architecture="o3_err")


def test_the_other_architecture_is_recognized(tmp_path: Path) -> None:
    save_weights(tmp_path / "a.pt", O3Err(1, 0.0, 1, 16).state_dict())
    assert isinstance(load_weights(tmp_path / "a.pt"), O3Err)


def test_a_missing_level_is_named(tmp_path: Path) -> None:
    state = make_network().state_dict()
    del state["levels.1.mix.bias"]
    save_weights(tmp_path / "a.pt", state)
    with pytest.raises(ValueError, match=r"band_powers. Missing tensor levels\.1\.mix\.bias"):
        load_weights(tmp_path / "a.pt")


def test_maps_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(2, 32, 32\), got \(1, 1, 32, 32\)"):
        make_network()(torch.zeros(1, 1, SIDE, SIDE))


def test_it_is_small() -> None:
    with torch.device("meta"):
        small, published = BandPowers(6, 0.2, 1), O3Err(6, 0.2, 1)

    def count(network: nn.Module) -> int:
        return sum(parameter.numel() for parameter in network.parameters())

    assert count(small) < count(published) / 20


def test_registry_names_it() -> None:
    assert find_architecture("band_powers") is BandPowers
