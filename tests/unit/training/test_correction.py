from collections.abc import Generator, Sequence
from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import Tensor

from multifield.models.feature_network import FeatureNetwork
from multifield.models.heads import split_members
from multifield.training import DeviceBatch
from multifield.training.correction import fit_correction
from multifield.training.step import Folds
from tests.helpers.torch_threads import one_thread as one_thread

N_MEMBERS, N_FEATURES, N_MAPS, N_SIMULATIONS = 5, 100, 5, 60
FOLDS = Folds(N_MEMBERS, N_MAPS)


class Several(FeatureNetwork):
    """Network of several members that read features."""

    def __init__(self) -> None:
        super().__init__(1, 0.0, 1, 16, 2)
        self.add_head(N_FEATURES, 16, n_members=N_MEMBERS)


class Features:
    """Features of noisy simulations, as a `BatchSource`."""

    batch_size = 64

    def __init__(self, theta: Tensor, x: Tensor) -> None:
        self.theta, self.x = theta, x

    def __len__(self) -> int:
        return len(self.x)

    def ordered(self, orientations: Sequence[int]) -> Generator[DeviceBatch, None, None]:
        for rows in torch.split(torch.arange(len(self)), self.batch_size):
            yield DeviceBatch(self.x[rows], self.theta[rows], rows.numpy())

    def random_epoch(self, *_: object, **__: object) -> Generator[DeviceBatch, None, None]:
        raise NotImplementedError


def simulate(n: int, response: Tensor) -> Features:
    theta = torch.rand(n, 2)
    x = theta @ response + 2 * torch.randn(n, N_FEATURES)
    return Features(theta.repeat_interleave(N_MAPS, 0), x.repeat_interleave(N_MAPS, 0))


def train(source: Features, left_out: Tensor | None) -> Several:
    """Train on few and noisy simulations."""
    network = Several()
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    each = source.theta.repeat_interleave(N_MEMBERS, dim=0)
    for _ in range(300):
        members = split_members(network.head, network.infer(source.x, left_out)).flatten(0, 1)
        optimizer.zero_grad()
        (-network.head.log_prob(members, each, [0, 1]).mean()).backward()
        optimizer.step()
    return network


def chi2_of(network: Several, source: Features) -> float:
    """Return chi2 per parameter of the mixture of members."""
    members = split_members(network.head, network.eval().infer(source.x).detach())
    mean, std = members[..., :2], members[..., 2:4]
    variance = std.square().mean(dim=1) + mean.var(dim=1, correction=0)
    return float(((mean.mean(dim=1) - source.theta).square() / variance).mean())


def fit(network: Several, source: Features) -> None:
    fit_correction(network, source, FOLDS, "nll", (0, 1), 1, lambda: None)


@pytest.fixture(scope="module")
def sources() -> tuple[Features, Features]:
    """Simulations to train on, and others."""
    torch.manual_seed(4)
    response = torch.randn(2, N_FEATURES)
    return simulate(N_SIMULATIONS, response), simulate(1000, response)


@pytest.fixture(scope="module")
def trained(sources: tuple[Features, Features]) -> Several:
    """Members that each leave out a part of the simulations."""
    train_on, _ = sources
    return train(train_on, torch.from_numpy(FOLDS.of_maps(np.arange(len(train_on)))))


def test_corrected_members_are_as_certain_as_they_may_be(
    sources: tuple[Features, Features], trained: Several
) -> None:
    train_on, others = sources
    network = deepcopy(trained)
    assert chi2_of(network, others) > 1.2
    fit(network, train_on)
    assert chi2_of(network, others) == pytest.approx(1, abs=0.15)
    knows_all = train(train_on, None)
    fit(knows_all, train_on)
    assert chi2_of(knows_all, others) > 2


def test_only_the_correction_is_fitted_and_equal_seeds_give_equal_ones(
    sources: tuple[Features, Features], trained: Several
) -> None:
    one, other = deepcopy(trained), deepcopy(trained)
    fit(one, sources[0])
    torch.rand(3)
    fit(other, sources[0])
    for name, before in trained.state_dict().items():
        assert torch.equal(one.state_dict()[name], other.state_dict()[name])
        if not name.startswith("correct."):
            assert torch.equal(one.state_dict()[name], before)
    assert not torch.equal(one.correct.FC2.weight, trained.correct.FC2.weight)


def test_maps_with_unknown_parameters_are_not_used(
    sources: tuple[Features, Features], trained: Several
) -> None:
    """The result is that of the other maps alone."""
    whole = sources[0]
    n = len(whole) // 2 // (N_MAPS * N_MEMBERS) * N_MAPS * N_MEMBERS
    half = Features(whole.theta[:n], whole.x[:n])
    theta = whole.theta.clone()
    theta[n:, 1] = torch.nan
    one, other = deepcopy(trained), deepcopy(trained)
    fit(one, half)
    fit(other, Features(theta, whole.x))
    torch.testing.assert_close(other.correct.state_dict(), one.correct.state_dict())


def test_a_stopped_fit_leaves_the_network_unchanged(
    sources: tuple[Features, Features], trained: Several
) -> None:
    network = deepcopy(trained)
    n_calls = 0

    def stop() -> None:
        nonlocal n_calls
        n_calls += 1
        if n_calls == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_correction(network, sources[0], FOLDS, "nll", (0, 1), 1, stop)
    for name, before in trained.state_dict().items():
        assert torch.equal(network.state_dict()[name], before), name
