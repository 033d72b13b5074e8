import math

import pytest
import torch

from multifield.models.heads import AutoregressiveHead, DiagonalHead
from multifield.training import LossSums, moment_loss
from multifield.training.loss import LOSSES, PRIOR_SHARE, robust_log_prob

FLOAT32_RTOL = 1e-6  # a dozen float32 operations
HEAD = DiagonalHead(6)


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
    outputs, theta = torch.rand(10, 12).double(), torch.rand(10, 6).double()
    columns = [0, 4]
    sums = LossSums(name, HEAD, columns)
    for part in (slice(0, 7), slice(7, 10)):
        sums.add(outputs[part], theta[part])
    whole = LOSSES[name](HEAD, outputs, theta[:, columns], columns, 0, robust=True)
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
    sums = LossSums("moments", HEAD, range(6))
    for rows in (slice(0, 6), slice(6, 10)):
        sums.add(torch.cat((mean, std), 1)[rows], theta[rows], 2)
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
        LossSums(name, HEAD, (0,)).loss()


# ---- negative log-likelihood ----


def nll(outputs: torch.Tensor, theta: torch.Tensor, columns: list[int], **options: bool) -> float:
    return LOSSES["nll"](HEAD, outputs, theta[:, columns], columns, 0, **options).item()


def test_nll_by_hand() -> None:
    outputs = torch.full((2, 12), 0.5)
    outputs[:, 6] = torch.tensor([1.0, 2.0])
    theta = torch.full((2, 6), 0.5)
    theta[0, 0] = 2.5
    # log 1 + 4 / 2; log 2 + 0; and the constant of a Gaussian
    expected = (2 + math.log(2) + math.log(2 * math.pi)) / 2
    assert nll(outputs, theta, [0]) == pytest.approx(expected, rel=FLOAT32_RTOL)


def test_nll_is_least_for_the_moments_of_the_posterior() -> None:
    torch.manual_seed(0)
    theta = (0.5 + 0.1 * torch.randn(200_000, 1, dtype=torch.float64)).expand(-1, 6)
    outputs = torch.cat((theta.mean().expand_as(theta), theta[:, :1].std().expand_as(theta)), 1)
    best = nll(outputs, theta, [0])
    for column in (0, 6):
        for shift in (-0.004, 0.004):
            changed = outputs.clone()
            changed[:, column] += shift
            assert nll(changed, theta, [0]) > best


def test_nll_is_finite_where_a_network_claims_to_know() -> None:
    assert math.isfinite(nll(torch.zeros(2, 12), torch.ones(2, 6), [0, 1]))


def test_one_map_with_no_width_cannot_dominate_a_validation_loss() -> None:
    outputs, theta = torch.full((1000, 12), 0.5), torch.full((1000, 6), 0.6)
    outputs[:, 6:] = 0.1
    calm = nll(outputs, theta, [0, 1], robust=True)
    outputs[0, 6:] = 0
    assert nll(outputs, theta, [0, 1]) > 400
    # the prior's share of log(PRIOR_SHARE) for one map of 1000, two parameters
    assert calm < nll(outputs, theta, [0, 1], robust=True) < calm + 0.006


def test_the_robust_log_prob_costs_a_right_posterior_little() -> None:
    log_prob = torch.tensor([6.0, -1e6])
    found = robust_log_prob(log_prob)
    assert found[0] == pytest.approx(6 - PRIOR_SHARE, abs=1e-5)
    assert found[1] == pytest.approx(math.log(PRIOR_SHARE))


def test_nll_takes_any_head() -> None:
    head = AutoregressiveHead(6)
    outputs, theta = torch.rand(5, head.n_outputs), torch.rand(5, 6)
    expected = -head.log_prob(outputs, theta[:, :3], [0, 1, 2]).mean() / 3
    found = LOSSES["nll"](head, outputs, theta[:, :3], [0, 1, 2], 0)
    assert found.item() == pytest.approx(expected.item())


# ---- members ----


@pytest.mark.parametrize("name", LOSSES)
def test_each_member_is_trained_by_its_own_loss(name: str) -> None:
    torch.manual_seed(0)
    one, other, theta = torch.rand(3, 10, 12).double()
    truth = theta[:, :2]

    def loss(outputs: torch.Tensor, truth: torch.Tensor) -> float:
        return LOSSES[name](HEAD, outputs, truth, [0, 1], 0).item()

    both = loss(torch.cat((one, other), dim=1), truth)
    if name == "nll":
        expected = (loss(one, truth) + loss(other, truth)) / 2
    else:  # its averages are over all members
        expected = loss(torch.cat((one, other)), torch.cat((truth, truth)))
    assert both == pytest.approx(expected, rel=1e-12)


def test_validation_scores_the_mixture_of_the_members() -> None:
    torch.manual_seed(0)
    one, other, theta = torch.rand(3, 10, 12).double()
    outputs, truth = torch.cat((one, other), dim=1), theta[:, :2]
    each = torch.stack([HEAD.log_prob(member, truth, [0, 1]) for member in (one, other)])
    expected = -robust_log_prob(each.exp().mean(dim=0).log()).mean().item() / 2
    found = LOSSES["nll"](HEAD, outputs, truth, [0, 1], 0, robust=True).item()
    assert found == pytest.approx(expected, rel=1e-12)
    # moments of a mixture: the variance between the means counts
    between = torch.zeros(4, 12).double()
    between[:, :6], between[:, 6:] = 0.5, 0.1
    apart = torch.cat((between, between), dim=1)
    apart[:, :6] -= 0.3
    apart[:, 12:18] += 0.3
    variance = 0.1**2 + 0.3**2
    whole = between.clone()
    whole[:, 6:] = variance**0.5
    truth = torch.rand(4, 2).double()
    found, expected = (
        LOSSES["moments"](HEAD, each, truth, [0, 1], 0, robust=True).item()
        for each in (apart, whole)
    )
    assert found == pytest.approx(expected, rel=1e-12)
