import math

import pytest
import torch

from multifield.training import LossSums, moment_loss
from multifield.training.loss import LOSSES

FLOAT32_RTOL = 1e-6  # a dozen float32 operations


def test_loss_by_hand() -> None:
    theta = torch.tensor([[1.0, 0.0], [3.0, 0.0]])
    mean = torch.tensor([[0.0, 2.0], [1.0, 2.0]])
    std = torch.tensor([[1.0, 1.0], [1.0, 3.0]])
    # parameter 0: squared errors 1, 4; minus variances 0, 3.  parameter 1: 4, 4; 3, -5
    expected = (math.log(2.5) + math.log(4.5) + math.log(4) + math.log(17)) / 2
    assert moment_loss(mean, std, theta).item() == pytest.approx(expected, rel=FLOAT32_RTOL)


@pytest.mark.parametrize("name", LOSSES)
def test_sums_over_batches_are_the_loss_of_the_whole(name: str) -> None:
    torch.manual_seed(0)
    mean, std, theta = torch.rand(3, 10, 6).double()
    sums = LossSums(name, (0, 4))
    for part in (slice(0, 7), slice(7, 10)):
        sums.add(mean[part], std[part], theta[part])
    columns = [0, 4]
    whole = LOSSES[name](mean[:, columns], std[:, columns], theta[:, columns], 0)
    assert sums.loss() == pytest.approx(whole.item(), rel=1e-12)


def test_maps_shown_in_different_sets_are_averaged_apart() -> None:
    """Five rows, two per set: three losses, weighted by their rows."""
    torch.manual_seed(0)
    mean, std, theta = torch.rand(3, 5, 2).double()
    parts = (slice(0, 2), slice(2, 4), slice(4, 5))
    losses = [moment_loss(mean[rows], std[rows], theta[rows]).item() for rows in parts]
    expected = (2 * losses[0] + 2 * losses[1] + losses[2]) / 5
    assert moment_loss(mean, std, theta, 2).item() == pytest.approx(expected, rel=1e-12)


def test_sums_of_sets_are_the_average_over_them() -> None:
    torch.manual_seed(0)
    mean, std, theta = torch.rand(3, 10, 6).double()
    sums = LossSums("moments", range(6))
    for rows in (slice(0, 6), slice(6, 10)):
        sums.add(mean[rows], std[rows], theta[rows], 2)
    whole = moment_loss(mean, std, theta, 2).item()
    assert sums.loss() == pytest.approx(whole, rel=1e-12)


def test_moments_of_the_posterior_have_the_least_loss() -> None:
    # theta ~ N(2, 0.5): no shift of mean or standard deviation lowers the loss
    torch.manual_seed(0)
    theta = 2 + 0.5 * torch.randn(200_000, 1, dtype=torch.float64)
    mean, std = theta.mean().expand_as(theta), theta.std(correction=0).expand_as(theta)
    best = moment_loss(mean, std, theta)
    for shift in (-0.02, 0.02):
        assert moment_loss(mean + shift, std, theta) > best
        assert moment_loss(mean, std + shift, theta) > best


@pytest.mark.parametrize("name", LOSSES)
def test_no_maps_have_no_loss(name: str) -> None:
    with pytest.raises(ValueError, match="at least one map"):
        LossSums(name, (0,)).loss()
