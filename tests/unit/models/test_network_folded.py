import pytest
import torch
from torch import nn

from multifield.models import O3Err, for_inference
from tests.helpers.tolerances import BFLOAT16_NETWORK_RTOL, NETWORK_RTOL
from tests.helpers.torch_threads import one_thread as one_thread
from tests.reference.plain_o3_err import PlainO3Err


def make_trained_network(hidden: int = 2, map_size: int = 256) -> O3Err:
    """Random weights, and statistics that differ from 0 and 1, as after training."""
    torch.manual_seed(2)
    network = O3Err(hidden, 0.3, 1, map_size)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_(0, 0.3)
            module.momentum = 0.9  # one batch says it all
    network.train()(torch.randn(8, 1, map_size, map_size))
    return network


@pytest.fixture(scope="module")
def network() -> O3Err:
    return make_trained_network()


@pytest.fixture(scope="module")
def x() -> torch.Tensor:
    return torch.randn(5, 1, 256, 256, generator=torch.Generator().manual_seed(3))


@torch.no_grad()
def plain_output(network: O3Err, x: torch.Tensor) -> torch.Tensor:
    """Compute the output in float64 with an independent network."""
    plain = PlainO3Err(network.hidden, 1).eval()
    plain.load_state_dict(network.state_dict())
    return plain.double()(x.double())


@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [(torch.float32, NETWORK_RTOL), (torch.bfloat16, BFLOAT16_NETWORK_RTOL)],
)
def test_folded_network_is_the_plain_one(
    dtype: torch.dtype, tolerance: float, network: O3Err, x: torch.Tensor
) -> None:
    expected = plain_output(network, x)
    found = for_inference(network, dtype)(x)
    assert found.dtype == torch.float32
    scale = expected.abs().max()
    torch.testing.assert_close(found.double() / scale, expected / scale, rtol=0, atol=tolerance)


def test_nothing_is_left_to_normalize(network: O3Err) -> None:
    folded = for_inference(network)
    assert not folded.training
    assert not any(parameter.requires_grad for parameter in folded.parameters())
    kinds = {type(module) for name, module in folded.named_children() if name.startswith("B")}
    assert kinds == {nn.Identity}


def test_the_network_is_left_as_it_is(network: O3Err) -> None:
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    folded = for_inference(network, torch.bfloat16)
    for parameter in folded.parameters():
        parameter.fill_(7)
    assert network.training
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_unused_normalization_is_not_folded(network: O3Err, x: torch.Tensor) -> None:
    before = for_inference(network)(x)
    changed = O3Err(2, 0.0, 1)
    changed.load_state_dict(network.state_dict())
    changed.get_parameter("B01.weight").data.fill_(7)
    assert torch.equal(for_inference(changed)(x), before)


@pytest.mark.parametrize("map_size", [16, 64])
def test_any_map_size(map_size: int) -> None:
    network = make_trained_network(map_size=map_size)
    x = torch.randn(20, 1, map_size, map_size)
    expected = network.eval()(x)
    found = for_inference(network)(x)
    scale = expected.abs().max()
    torch.testing.assert_close(found / scale, expected / scale, rtol=0, atol=2 * NETWORK_RTOL)


def test_another_module_is_given_back() -> None:
    other = nn.Linear(2, 2)
    assert for_inference(other) is other
    with pytest.raises(
        TypeError, match=r"Expected a multifield Network for torch.bfloat16, got Linear"
    ):
        for_inference(other, torch.bfloat16)
