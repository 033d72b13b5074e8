"""Integrated gradients: completeness, and a network whose attributions are known."""

import numpy as np
import pytest
import torch
from torch import nn

from multifield import camels
from multifield.evaluation import attribute_means
from multifield.models import O3Err
from tests.helpers.tolerances import INTEGRATED_GRADIENTS_RTOL


class Linear(nn.Module):
    """Returns a weighted sum of the pixels. Its attributions are the weighted pixels."""

    def __init__(self, weights):
        super().__init__()
        self.weights = nn.Parameter(torch.from_numpy(weights))

    def forward(self, x):
        return torch.einsum("pcij,bcij->bp", self.weights, x) + 0.5


@pytest.fixture
def maps():
    return np.random.default_rng(0).normal(size=(2, 1, 16, 16)).astype(np.float32)


def test_pixels_of_a_linear_network_get_their_weights(maps):
    weights = np.random.default_rng(1).normal(size=(12, 1, 16, 16)).astype(np.float32)
    attributions = attribute_means(Linear(weights), maps, ("sigma_8",), device="cpu")
    sigma_8 = camels.PARAMETERS[1]
    expected = maps * weights[1] * (sigma_8.maximum - sigma_8.minimum)
    np.testing.assert_allclose(attributions.values[0], expected, rtol=1e-4, atol=1e-6)  # float32
    assert attributions.baseline_mean == pytest.approx([0.8])  # 0.5 of the prior


def test_attributions_are_complete(maps):
    torch.manual_seed(0)
    network = O3Err(hidden=3, dropout=0.2, channels=1, map_size=16)
    attributions = attribute_means(network, maps, camels.COSMOLOGY, n_steps=256, device="cpu")
    change = attributions.mean - attributions.baseline_mean[:, None]
    assert np.abs(attributions.gap).max() < INTEGRATED_GRADIENTS_RTOL * np.abs(change).max()


def test_attributions_are_averages_over_baselines(maps):
    weights = np.random.default_rng(1).normal(size=(12, 1, 16, 16)).astype(np.float32)
    baselines = np.random.default_rng(2).normal(size=(3, 1, 16, 16)).astype(np.float32)
    network = Linear(0.01 * weights)
    found = attribute_means(network, maps, ("sigma_8",), baselines=baselines, device="cpu")
    sigma_8 = camels.PARAMETERS[1]
    width = sigma_8.maximum - sigma_8.minimum
    expected = 0.01 * width * weights[1] * (maps - baselines.mean(axis=0))
    np.testing.assert_allclose(found.values[0], expected, rtol=1e-3, atol=1e-6)  # float32
    assert found.n_baselines == 3
    assert np.abs(found.gap).max() < 1e-5


def test_a_coarse_quadrature_is_seen_in_the_gap(maps):
    torch.manual_seed(0)
    network = O3Err(hidden=3, dropout=0.2, channels=1, map_size=16)
    coarse = attribute_means(network, maps, ("Omega_m",), n_steps=1, device="cpu")
    change = coarse.mean - coarse.baseline_mean[:, None]
    assert np.abs(coarse.gap).max() > INTEGRATED_GRADIENTS_RTOL * np.abs(change).max()


def test_the_network_does_not_change(maps):
    network = O3Err(hidden=2, dropout=0.2, channels=1, map_size=16).train()
    attribute_means(network, maps, ("Omega_m",), n_steps=2, device="cpu")
    assert network.training
    assert all(weight.grad is None for weight in network.parameters())


def test_it_takes_the_threads_that_it_is_given(maps):
    before, seen = torch.get_num_threads(), set()

    class Counting(Linear):
        def forward(self, x):
            seen.add(torch.get_num_threads())
            return super().forward(x)

    network = Counting(np.ones((12, 1, 16, 16), np.float32))
    attribute_means(network, maps, ("Omega_m",), n_steps=2, device="cpu", n_threads=before + 1)
    assert (seen, torch.get_num_threads()) == ({before + 1}, before)


def test_attributions_are_of_what_is_learned(maps):
    """Of the logarithm, where a network learns it: they add up only there."""
    weights = np.random.default_rng(1).normal(size=(12, 1, 16, 16)).astype(np.float32)
    drawn = camels.CMD.learn_as_drawn()
    found = attribute_means(Linear(0.01 * weights), maps, ("A_SN1",), space=drawn, device="cpu")
    assert found.baseline_mean == pytest.approx([0.0])  # log10 of the middle, 1
    assert np.abs(found.gap).max() < 1e-5
    width = np.log10(4.0) - np.log10(0.25)
    expected = 0.01 * width * maps * weights[2]
    np.testing.assert_allclose(found.values[0], expected, rtol=1e-4, atol=1e-6)  # float32
