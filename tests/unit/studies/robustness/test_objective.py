from dataclasses import replace

import numpy as np
import pytest
import torch

from multifield.models import O3Err
from multifield.studies.robustness import RobustObjective, mean_discrepancy
from multifield.studies.robustness.objective import choose_objective, disturb
from multifield.training import DeviceBatch, PlainObjective
from tests.unit.studies.robustness.examples import method

ENDS = (8, 16)
PLAIN = PlainObjective()


@pytest.fixture
def x():
    return torch.randn((64, 2, 16, 16), generator=torch.Generator().manual_seed(0))


def make_batch() -> DeviceBatch:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn((16, 1, 16, 16), generator=generator)
    return DeviceBatch(x, torch.rand((16, 6), generator=generator), np.arange(16))


def network() -> O3Err:
    torch.manual_seed(0)
    return O3Err(2, 0.0, 1, 16).train()


def test_nothing_is_disturbed_by_a_method_of_zeros(x):
    assert torch.equal(disturb(x, method()), x)


def test_noise_is_of_pixels_and_at_most_as_strong_as_said(x):
    torch.manual_seed(0)
    added = (disturb(x, method(noise=0.3)) - x).std(dim=(1, 2, 3))
    # 512 pixels give a standard deviation to 3%
    assert added.max() < 0.3 * 1.15
    assert added.min() < 0.05
    assert added.mean() == pytest.approx(0.15, rel=0.25)  # uniform; 64 maps


def test_an_offset_is_one_number_a_map(x):
    torch.manual_seed(0)
    added = disturb(x, method(offset=0.5)) - x
    assert added.std(dim=(2, 3)).max() < 1e-6  # rounding of float32
    assert added.mean(dim=(2, 3)).std() == pytest.approx(0.5, rel=0.2)  # from 128 numbers


def test_contrast_is_one_factor_a_map(x):
    torch.manual_seed(0)
    factor = disturb(x, method(contrast=0.2)) / x
    assert (factor.std(dim=(2, 3)) / factor.mean(dim=(2, 3))).max() < 1e-5  # rounding of float32
    assert factor.mean(dim=(2, 3)).log().std() == pytest.approx(0.2, rel=0.2)


def test_equal_features_are_no_discrepancy(x):
    features = x[:, 0, 0].repeat(2, 1)
    suite = torch.arange(2).repeat_interleave(64)
    assert float(mean_discrepancy(features, suite)) == pytest.approx(0, abs=1e-6)


def test_discrepancy_grows_with_the_distance_of_suites(x):
    suite = torch.arange(2).repeat_interleave(32)
    shifted = [x[:, 0, 0] + 2.0 * k * suite[:, None] for k in range(4)]
    found = [float(mean_discrepancy(each, suite)) for each in shifted]
    assert found == sorted(found)
    assert 0 <= found[0] < 0.2
    assert 1 < found[-1] <= 2


def test_a_suite_alone_has_nothing_to_disagree_with(x):
    features = x[:, 0, 0].clone().requires_grad_()
    discrepancy = mean_discrepancy(features, torch.zeros(64, dtype=torch.int64))
    discrepancy.backward()
    assert float(discrepancy.detach()) == 0
    assert features.grad is not None


def test_features_of_equal_maps_have_a_finite_gradient():
    features = torch.zeros((8, 4), requires_grad=True)
    mean_discrepancy(features, torch.arange(8) % 2).backward()
    assert torch.isfinite(features.grad).all()


def objective_of(**settings: float) -> RobustObjective:
    return RobustObjective(method(**settings), PLAIN, ENDS, 2)


def test_without_additions_it_is_the_loss() -> None:
    found = objective_of()(network(), make_batch(), [0, 1])
    expected = PLAIN(network(), make_batch(), [0, 1])
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
    assert choose_objective(method(), PLAIN, ENDS, 2) is PLAIN


def test_alignment_adds_the_discrepancy_of_suites_at_its_weight() -> None:
    plain, aligned = (
        objective_of(alignment=weight)(network(), make_batch(), [0, 1]) for weight in (0.0, 3.0)
    )
    features = network().features(make_batch().x)
    features = (features - features.mean(dim=0)) / features.std(dim=0)
    suite = torch.arange(16) // 8
    expected = 3.0 * mean_discrepancy(features, suite)
    added = aligned.minimized - plain.minimized
    torch.testing.assert_close(added, expected, rtol=1e-4, atol=1e-5)  # float32 sums
    assert aligned.reported == plain.reported


def test_maps_without_parameters_count_in_the_discrepancy_alone() -> None:
    batch, net = make_batch(), network().eval()  # eval: no batch statistics
    batch.theta[8:] = torch.nan
    aligned = objective_of(alignment=3.0)(net, batch, [0, 1])
    aligned.minimized.backward()
    labelled = replace(batch, x=batch.x[:8], theta=batch.theta[:8], index=batch.index[:8])
    expected = PLAIN(net, labelled, [0, 1])
    torch.testing.assert_close(aligned.reported, expected.reported, rtol=1e-5, atol=1e-6)  # sums
    assert float(aligned.minimized.detach()) > float(expected.minimized.detach())
    gradients = [p.grad for p in net.parameters() if p.grad is not None]
    assert gradients
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


def test_a_parameter_that_does_not_count_need_not_be_known() -> None:
    batch, net = make_batch(), network().eval()
    expected = objective_of(alignment=3.0)(net, batch, [0, 1])
    partly = replace(batch, theta=batch.theta.clone())
    partly.theta[:, 2:] = torch.nan
    for a, b in zip(objective_of(alignment=3.0)(net, partly, [0, 1]), expected, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_features_count_alike_whatever_their_units() -> None:
    net, other = network().eval(), network().eval()
    units = 10.0 ** (torch.arange(net.features(make_batch().x).shape[1]) % 5)
    features = other.features
    other.features = lambda x: features(x) * units
    found, same = (
        objective_of(alignment=3.0)(each, make_batch(), [0, 1]).minimized
        - PLAIN.of_outputs(
            each.head, each.infer(each.features(make_batch().x)), make_batch(), [0, 1]
        ).minimized
        for each in (net, other)
    )
    torch.testing.assert_close(found, same, rtol=1e-4, atol=1e-4)


def test_other_smoothing_is_no_other_suite() -> None:
    """Parts are suites at one width, then at the next. Two parts of one suite are not aligned."""
    one = RobustObjective(method(alignment=3.0), PLAIN, ENDS, 1)(network(), make_batch(), [0, 1])
    expected = PLAIN(network(), make_batch(), [0, 1])
    torch.testing.assert_close(one.minimized, expected.minimized)
