from copy import deepcopy

import pytest
import torch
from torch import nn

from benchmarks.padded_channels import pad_channels, unpadded
from multifield.models import O3Err, for_inference
from multifield.training import moment_loss

# Relative, of float64: sums have another order. In float32, AdamW makes steps of rounding errors:
# biases before a batch normalization have no gradient.
ROUNDING = 1e-9


def train(network: nn.Module, n_steps: int) -> list[float]:
    generator = torch.Generator().manual_seed(3)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.1, fused=True)
    losses = []
    for _ in range(n_steps):
        x = torch.randn(8, 2, 32, 32, generator=generator, dtype=torch.float64)
        optimizer.zero_grad()
        mean, std = network(x.to(memory_format=torch.channels_last)).chunk(2, dim=1)
        loss = moment_loss(mean, std, torch.rand(8, 6, generator=generator, dtype=x.dtype))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.fixture
def networks() -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(1)
    network = O3Err(3, 0.0, 2, 32).to(torch.float64, memory_format=torch.channels_last)
    padded = deepcopy(network)
    pad_channels(padded)  # 6, 12, 24 and 48 channels
    return network, padded


def test_channels_are_multiples_of_8_except_those_of_maps(networks):
    shapes = {name: tuple(each.shape) for name, each in networks[1].named_parameters()}
    assert shapes["C01.weight"] == (8, 2, 3, 3)
    assert shapes["C02.weight"] == (8, 8, 3, 3)
    assert shapes["C11.weight"] == (16, 8, 3, 3)
    assert shapes["C31.weight"] == networks[0].C31.weight.shape
    assert networks[1].C12.weight.is_contiguous(memory_format=torch.channels_last)


def test_a_padded_network_learns_the_same(networks):
    network, padded = networks
    initial = deepcopy(network.state_dict())
    for name, tensor in unpadded(padded.state_dict(), initial).items():
        assert torch.equal(tensor, initial[name])

    assert train(padded, 3) == pytest.approx(train(network, 3), rel=ROUNDING)
    expected = network.state_dict()
    for name, tensor in unpadded(padded.state_dict(), initial).items():
        torch.testing.assert_close(tensor, expected[name], rtol=1e-6, atol=1e-7, msg=name)
        assert padded.state_dict()[name].count_nonzero() <= tensor.count_nonzero()  # zeros stay
    gradients = {name: parameter.grad for name, parameter in padded.named_parameters()}
    for name, parameter in network.named_parameters():
        if parameter.grad is not None:
            own = unpadded(gradients, {name: parameter})[name]
            torch.testing.assert_close(own, parameter.grad, rtol=1e-6, atol=ROUNDING, msg=name)


def test_a_padded_network_is_folded_to_the_same(networks):
    network = networks[0]
    train(network, 2)
    padded = deepcopy(network)
    pad_channels(padded)
    x = torch.randn(2, 2, 32, 32)
    expected, found = (for_inference(each.float().eval())(x) for each in (network, padded))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
