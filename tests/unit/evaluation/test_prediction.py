from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from multifield import camels
from multifield.evaluation import predict

SINGLE_ROUNDING = 1e-6  # relative; a few float32 operations, eps = 1.2e-7


@dataclass
class FakeBatch:
    x: np.ndarray
    theta: np.ndarray
    index: np.ndarray


@dataclass
class FakeLoader:
    """Maps that hold their own six parameters in the first row; batches in one reused buffer."""

    theta: np.ndarray
    inferred: tuple[int, ...] = tuple(range(6))
    batch_size: int = 4
    seen: list[int] = field(default_factory=list)
    order: np.ndarray | None = None

    def ordered(self, orientations):
        x = np.empty((self.batch_size, 1, 8, 8), dtype=np.float32)
        scaled = np.empty((self.batch_size, 6), dtype=np.float32)
        maps = np.arange(len(self.theta)) if self.order is None else self.order
        for orientation in orientations:
            self.seen.append(orientation)
            for start in range(0, len(maps), self.batch_size):
                index = maps[start : start + self.batch_size]
                n = len(index)
                scaled[:n] = camels.scale_theta(self.theta[index])
                x[:n, 0, 0, :6] = scaled[:n]
                x[:n, 0, 1, 0] = orientation
                yield FakeBatch(x[:n], scaled[:n], index)


class Oracle(torch.nn.Module):
    """Mean: the truth plus the orientation; std: 0.1 of the range. Refuses to run in training."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.scale = 1.0

    def forward(self, x):
        assert not self.training
        assert torch.is_inference_mode_enabled()
        mean = x[:, 0, 0, :6] * self.weight + x[:, 0, 1, :1]
        return torch.cat([mean, torch.full_like(mean, 0.1)], dim=1) * self.scale


@pytest.fixture
def theta():
    return camels.unscale_theta(np.random.default_rng(3).random((10, 6)))


def test_rows_are_ordered_by_orientation_then_map(theta):
    loader = FakeLoader(theta)
    results = predict(Oracle(), loader, [0, 1, 5])
    assert loader.seen == [0, 1, 5]
    ranges = np.array([p.maximum - p.minimum for p in camels.PARAMETERS])
    expected = np.concatenate([theta + orientation * ranges for orientation in (0, 1, 5)])
    np.testing.assert_allclose(results.mean, expected, rtol=SINGLE_ROUNDING)
    np.testing.assert_allclose(results.std, np.tile(0.1 * ranges, (30, 1)), rtol=SINGLE_ROUNDING)


def test_truth_is_the_tables_float64(theta):
    results = predict(Oracle(), FakeLoader(theta), [0, 1])
    np.testing.assert_array_equal(results.theta, np.tile(theta, (2, 1)))


def test_columns_not_inferred_are_nan(theta):
    results = predict(Oracle(), FakeLoader(theta, inferred=(0, 1)), [0])
    assert results.inferred == camels.COSMOLOGY
    assert np.isnan(results.mean[:, 2:]).all()
    assert np.isnan(results.std[:, 2:]).all()


def test_nothing_is_clipped_outside_the_prior():
    extreme = np.array([[0.3, 0.8, 100.0, 0.0, 1.0, 2.33]])  # as in EX and Astrid
    results = predict(Oracle(), FakeLoader(extreme), [0])
    np.testing.assert_allclose(results.mean, extreme, rtol=SINGLE_ROUNDING, atol=SINGLE_ROUNDING)


@pytest.mark.parametrize("batch_size", [1, 3, 10, 16])
def test_batch_size_does_not_matter(theta, batch_size):
    found = predict(Oracle(), FakeLoader(theta, batch_size=batch_size), [0, 1])
    expected = predict(Oracle(), FakeLoader(theta), [0, 1])
    np.testing.assert_array_equal(found.mean, expected.mean)


@pytest.mark.parametrize("training", [True, False])
def test_mode_of_the_network_is_kept(theta, training):
    network = Oracle().train(training)
    predict(network, FakeLoader(theta), [0])
    assert network.training is training
    assert network.weight.grad is None


def test_maps_beside_another_truth_are_refused(theta):
    loader = FakeLoader(theta, order=np.arange(10)[::-1])
    with pytest.raises(ValueError, match="expected maps in the order of its theta, got row 0"):
        predict(Oracle(), loader, [0])


def test_missing_maps_are_refused(theta):
    loader = FakeLoader(theta, order=np.arange(9))
    with pytest.raises(ValueError, match="expected 20 maps in order, got 18"):
        predict(Oracle(), loader, [0, 1])


def test_no_orientation_is_refused(theta):
    with pytest.raises(ValueError, match="at least one map in one orientation"):
        predict(Oracle(), FakeLoader(theta), [])


def test_diverged_network_is_refused(theta):
    network = Oracle()
    network.scale = float("nan")
    with pytest.raises(
        ValueError, match="mean of Omega_m: expected finite values got nan in row 0"
    ):
        predict(network, FakeLoader(theta), [0])


def test_other_output_shape_is_refused(theta):
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.LazyLinear(4))
    network(torch.zeros(1, 1, 8, 8))
    with pytest.raises(ValueError, match=r"expected output \(4, 12\), got \(4, 4\)"):
        predict(network, FakeLoader(theta), [0])
