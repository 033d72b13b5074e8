from pathlib import Path

import pytest
import torch
from torch import Tensor

from multifield.models import (
    StatisticsAndFilters,
    for_inference,
    load_weights,
    save_weights,
)
from multifield.models.heads import split_members
from multifield.models.summary_statistics import MEMBERS
from tests.helpers.tolerances import NETWORK_RTOL
from tests.helpers.torch_threads import one_thread as one_thread

HEADS = ("diagonal", "autoregressive")
OWN_LAYERS = ("FC3.weight", "direct.weight")  # zero before training


def make_network(head: str = "autoregressive", *, trained: bool = True) -> StatisticsAndFilters:
    """Network whose members differ; with `trained` its correction does something."""
    torch.manual_seed(1)
    network = StatisticsAndFilters(2, 0.0, 2, 16, 3, head)
    for name in OWN_LAYERS:
        network.statistics.get_parameter(name).data.normal_(0, 0.05)
    if trained:
        network.correct.FC2.weight.data.normal_(0, 0.1)
    return network.eval()


def make_maps(n: int = 6) -> Tensor:
    return torch.randn(n, 2, 16, 16, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("head", HEADS)
def test_before_training_the_posterior_is_that_of_the_members(head: str) -> None:
    network, x = make_network(head, trained=False), make_maps()
    members = split_members(network.head, network.statistics(x))
    assert members.std(dim=1)[:, :3].min() > 0
    left_out = torch.arange(len(x)) % MEMBERS
    with torch.no_grad():
        found = network(x)
        both = split_members(network.head, network(x, left_out))
    mean, std = members[..., :3], members[..., 3:6]
    variance = (mean.square() + std.square()).mean(dim=1) - mean.mean(dim=1).square()
    torch.testing.assert_close(found[:, :3], mean.mean(dim=1))  # of the equal mixture
    torch.testing.assert_close(found[:, 3:6], variance.sqrt())
    torch.testing.assert_close(both[:, 0], members[torch.arange(len(x)), left_out])
    torch.testing.assert_close(both[:, 1, :3], torch.full((len(x), 3), 0.5))  # filters: the prior
    torch.testing.assert_close(both[:, 1, 3:6], torch.full((len(x), 3), 0.3))


def test_the_correction_of_the_members_stays() -> None:
    network, x = make_network(trained=False), make_maps()
    network.statistics.correct.FC2.weight.data.normal_(0, 0.1)
    members = split_members(network.head, network.statistics(x))
    left_out = torch.arange(len(x)) % MEMBERS
    with torch.no_grad():
        both = split_members(network.head, network(x, left_out))
        torch.testing.assert_close(network(x)[:, :3], members[..., :3].mean(dim=1))
    torch.testing.assert_close(both[:, 0], members[torch.arange(len(x)), left_out])


def test_training_leaves_the_members_as_they_are() -> None:
    network, x = make_network(), make_maps()
    before = {name: each.clone() for name, each in network.statistics.state_dict().items()}
    network.train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.1, weight_decay=0.5)
    first = network(x, torch.zeros(len(x), dtype=torch.int64))
    first.square().mean().backward()
    optimizer.step()
    for name, tensor in network.statistics.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    own = [name for name, each in network.named_parameters() if each.grad is None]
    assert all(name.startswith("statistics.") or "B01" in name for name in own)
    assert network.filters.training
    assert network.correct.standardize.n_batches == 1


def test_gradients_in_evaluation_contain_the_statistics() -> None:
    """Saliency needs them; training does without."""
    network, x = make_network(), make_maps().requires_grad_()
    n_statistics = network.statistics.FC1.in_features
    (whole,) = torch.autograd.grad(network.features(x)[:, :n_statistics].sum(), x)
    assert whole.any()
    network.train()
    features = network.features(x)
    (without,) = torch.autograd.grad(features[:, :n_statistics].sum(), x, allow_unused=True)
    assert without is None or not without.any()


@pytest.mark.parametrize("head", HEADS)
def test_weights_tell_architecture_sizes_and_head(head: str, tmp_path: Path) -> None:
    network, x = make_network(head), make_maps()
    save_weights(tmp_path / "net.pt", network.state_dict())
    loaded = load_weights(tmp_path / "net.pt")
    assert isinstance(loaded, StatisticsAndFilters)
    assert (loaded.sizes, loaded.head.name) == (network.sizes, head)
    assert torch.equal(loaded(x), network(x))


def test_copy_for_inference_is_the_same_network() -> None:
    network, x = make_network(), make_maps()
    network.train()(x, torch.zeros(len(x), dtype=torch.int64))  # statistics unlike 0 and 1
    network.eval()
    copy = for_inference(network)
    torch.testing.assert_close(copy(x), network(x), rtol=0, atol=NETWORK_RTOL)
    assert not any(isinstance(each, torch.nn.BatchNorm2d) for each in copy.modules())
