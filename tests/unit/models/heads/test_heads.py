"""Posteriors of the heads: normalized, inverted, inside the prior, and in their limits."""

import pytest
import torch
from torch.distributions import MultivariateNormal

from multifield.models import FeatureNetwork, SummaryStatistics, load_weights, save_weights
from multifield.models.heads import HEADS, AutoregressiveHead, DiagonalHead, Head

ALL = [0, 1, 2]
N = 64


def make_outputs(head: Head, *, seed: int = 0, scale: float = 0.2) -> torch.Tensor:
    torch.manual_seed(seed)
    outputs = 0.5 + 0.3 * torch.randn(N, head.n_outputs, dtype=torch.float64)
    outputs[:, 3:6] = scale * torch.rand(N, 3, dtype=torch.float64).exp()
    return outputs


@pytest.mark.parametrize("name", HEADS)
def test_quantiles_invert_conditional_probabilities(name: str) -> None:
    head = HEADS[name](3)
    outputs, shares = make_outputs(head), torch.rand(N, 3, dtype=torch.float64)
    theta = head.quantiles(outputs, shares, ALL)
    torch.testing.assert_close(head.shares_below(outputs, theta, ALL), shares, rtol=0, atol=1e-6)


def test_the_autoregressive_posterior_is_normalized_and_inside_the_prior() -> None:
    head = AutoregressiveHead(2)
    outputs = torch.tensor([[0.9, 0.1, 0.2, 0.3, 1.5], [0.3, 1.4, 0.1, 0.4, -2.0]]).double()
    points = (torch.arange(400).double() + 0.5) / 400
    grid = torch.cartesian_prod(points, points)
    for row in outputs:
        density = head.log_prob(row.expand(len(grid), -1), grid, [0, 1]).exp()
        assert density.mean().item() == pytest.approx(1, abs=1e-4)  # midpoint rule
    shares = torch.rand(1000, 2, dtype=torch.float64)
    draws = head.quantiles(outputs[:1].expand(1000, -1), shares, [0, 1])
    assert ((draws >= 0) & (draws <= 1)).all()


def test_the_density_is_that_of_the_draws() -> None:
    """The Jacobian of the quantiles is the inverse of the density."""
    head = AutoregressiveHead(3)
    outputs, shares = make_outputs(head)[:4], torch.rand(4, 3, dtype=torch.float64)
    step, theta = 1e-6, head.quantiles(outputs, shares, ALL)
    columns = []
    for column in range(3):
        moved = shares.clone()
        moved[:, column] += step
        columns.append((head.quantiles(outputs, moved, ALL) - theta) / step)
    jacobian = torch.stack(columns, dim=2)
    expected = -torch.linalg.det(jacobian).log()
    torch.testing.assert_close(head.log_prob(outputs, theta, ALL), expected, rtol=0, atol=1e-3)


def test_without_edges_it_is_a_gaussian_of_any_covariance() -> None:
    torch.manual_seed(1)
    lower = torch.tril(torch.randn(3, 3, dtype=torch.float64), -1) + torch.eye(3)
    std = torch.tensor([0.02, 0.015, 0.025], dtype=torch.float64)
    mean = torch.tensor([0.4, 0.5, 0.6], dtype=torch.float64)
    root = lower * std  # theta = mean + root noise
    gaussian = MultivariateNormal(mean, root @ root.T)
    theta = gaussian.sample((N,))
    # theta_i - mean_i depends on theta_j - mean_j by rows of (1 - lower^-1)
    inverse = torch.linalg.inv(lower)
    coefficients = torch.tensor([-inverse[1, 0], -inverse[2, 0], -inverse[2, 1]])
    head = AutoregressiveHead(3)
    outputs = torch.cat((mean, std, coefficients)).expand(N, -1)
    expected = gaussian.log_prob(theta)
    torch.testing.assert_close(head.log_prob(outputs, theta, ALL), expected, rtol=0, atol=1e-3)


def test_with_infinite_width_it_is_the_prior() -> None:
    head = AutoregressiveHead(3)
    outputs = make_outputs(head, scale=1e6)
    theta = torch.rand(N, 3, dtype=torch.float64)
    torch.testing.assert_close(
        head.log_prob(outputs, theta, ALL), torch.zeros(N).double(), rtol=0, atol=1e-8
    )


@pytest.mark.parametrize("name", HEADS)
def test_parameters_that_are_not_inferred_do_not_matter(name: str) -> None:
    head = HEADS[name](3)
    outputs, theta = make_outputs(head), torch.rand(N, 2, dtype=torch.float64)
    before = head.log_prob(outputs, theta, [0, 2])
    others = outputs.clone()
    others[:, [1, 4]] += 1  # location and scale of parameter 1
    torch.testing.assert_close(head.log_prob(others, theta, [0, 2]), before)


def test_widening_scales_the_widths() -> None:
    head = DiagonalHead(3)
    outputs = make_outputs(head)
    wide = head.widened(outputs, torch.tensor([2.0, 1.0, 3.0]).double())
    shares = torch.full((N, 3), 0.9, dtype=torch.float64)
    ratio = (head.quantiles(wide, shares, ALL) - outputs[:, :3]) / (
        head.quantiles(outputs, shares, ALL) - outputs[:, :3]
    )
    torch.testing.assert_close(ratio, torch.tensor([2.0, 1.0, 3.0]).double().expand(N, -1))


@pytest.mark.parametrize("name", HEADS)
def test_gradients_are_finite_for_extreme_outputs(name: str) -> None:
    head = HEADS[name](3)
    for scale in (0.0, 1e-6, 1e6):
        for location in (-1e3, 0.0, 1e3):
            outputs = torch.ones((1, head.n_outputs))
            outputs[:, :3] = location
            outputs[:, 3:6] = scale
            outputs.requires_grad_()
            head.log_prob(outputs, torch.rand(1, 3), ALL).sum().backward()  # type: ignore[no-untyped-call]
            assert outputs.grad is not None
            assert outputs.grad.isfinite().all()


# ---- in networks ----


@pytest.mark.parametrize("name", HEADS)
def test_weights_tell_their_head(name: str, tmp_path) -> None:
    network: FeatureNetwork = SummaryStatistics(1, 0.0, 1, 16, head=name)
    save_weights(tmp_path / "w.pt", network.state_dict())
    loaded = load_weights(tmp_path / "w.pt")
    assert loaded.head.name == name
    assert loaded.sizes == network.sizes
    other = next(each for each in HEADS if each != name)
    with pytest.raises(ValueError, match=f"Expected a network with the head '{other}'"):
        load_weights(tmp_path / "w.pt", head=other)


def test_an_unknown_head_is_refused() -> None:
    with pytest.raises(
        ValueError, match="head: Expected diagonal, autoregressive, flow, got 'normal'"
    ):
        SummaryStatistics(1, 0.0, 1, 16, head="normal")
