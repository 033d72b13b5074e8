import numpy as np
import pytest
import torch

from multifield import camels
from multifield.data import MapLoader, Normalization
from multifield.evaluation import average_orientations, predict
from multifield.models import SummaryStatistics
from multifield.models.summary_statistics import MEMBERS

SINGLE_ROUNDING = 1e-6  # relative; a few float32 operations, eps = 1.2e-7
N_CHANNELS = 8  # six parameters, a chessboard of numbers, the number of the map
CHESSBOARD = np.arange(64, dtype=np.float32).reshape(8, 8) / 64
RANGES = np.array([p.maximum - p.minimum for p in camels.PARAMETERS])


def make_loader(theta, *, simulations=None, inferred=tuple(range(6)), batch_size=4):
    """Load maps that hold their own parameters, a mark of their orientation, and their number."""
    n_maps = camels.MAPS_PER_SIMULATION * len(theta)
    maps = np.empty((N_CHANNELS, n_maps, 8, 8), np.float32)
    scaled = np.repeat(camels.scale_theta(theta), camels.MAPS_PER_SIMULATION, axis=0)
    maps[:6] = scaled.T[:, :, None, None]
    maps[6] = CHESSBOARD
    maps[7] = np.arange(n_maps)[:, None, None] / n_maps
    normalization = Normalization(
        over="all",
        fields=tuple(camels.FIELDS)[:N_CHANNELS],
        mean=(0.0,) * N_CHANNELS,
        std=(1.0,) * N_CHANNELS,
    )
    simulations = tuple(range(len(theta))) if simulations is None else simulations
    return MapLoader(
        list(maps), theta, simulations, normalization, batch_size=batch_size, inferred=inferred
    )


def mark(orientation):
    """Pixel beside the corner of the chessboard, different in each of the eight orientations."""
    rotation, flip = divmod(orientation, 2)
    oriented = np.rot90(CHESSBOARD, rotation)
    return float(oriented[::-1][0, 1] if flip else oriented[0, 1])


class Oracle(torch.nn.Module):
    """Mean: the truth plus the orientation's mark; std: 0.1 of the range plus the map's number.

    Refuses to run in training.
    """

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.scale = 1.0

    def forward(self, x):
        assert not self.training
        assert torch.is_inference_mode_enabled()
        mean = x[:, :6, 0, 0] * self.weight + x[:, 6:7, 0, 1]
        std = torch.full_like(mean, 0.1) + x[:, 7:8, 0, 0]
        return torch.cat([mean, std], dim=1) * self.scale


@pytest.fixture
def theta():
    return camels.unscale_theta(np.random.default_rng(3).random((2, 6)))


def test_rows_are_ordered_by_orientation_then_map(theta):
    results = predict(Oracle(), make_loader(theta), [0, 1, 5])
    of_maps = np.repeat(theta, 15, axis=0)
    mean = np.concatenate([of_maps + mark(orientation) * RANGES for orientation in (0, 1, 5)])
    std = np.tile((0.1 + np.arange(30) / 30)[:, None] * RANGES, (3, 1))
    np.testing.assert_allclose(results.mean, mean, rtol=SINGLE_ROUNDING)
    np.testing.assert_allclose(results.std, std, rtol=SINGLE_ROUNDING)


def test_all_orientations_differ():
    assert len({mark(orientation) for orientation in range(8)}) == 8


def test_truth_is_the_tables_float64(theta):
    results = predict(Oracle(), make_loader(theta), [0, 1])
    np.testing.assert_array_equal(results.theta, np.tile(np.repeat(theta, 15, axis=0), (2, 1)))


def test_columns_not_inferred_are_nan(theta):
    results = predict(Oracle(), make_loader(theta, inferred=(0, 1)), [0])
    assert results.inferred == camels.COSMOLOGY
    assert np.isnan(results.mean[:, 2:]).all()
    assert np.isnan(results.std[:, 2:]).all()


def test_nothing_is_clipped_outside_the_prior():
    extreme = np.array([[0.3, 0.8, 100.0, 0.0, 1.0, 2.33]])  # as in EX and Astrid
    results = predict(Oracle(), make_loader(extreme), [0])
    expected = np.repeat(extreme, 15, axis=0) + mark(0) * RANGES
    np.testing.assert_allclose(results.mean, expected, rtol=SINGLE_ROUNDING, atol=SINGLE_ROUNDING)


@pytest.mark.parametrize("batch_size", [1, 7, 30, 64])
def test_batch_size_does_not_matter(theta, batch_size):
    found = predict(Oracle(), make_loader(theta, batch_size=batch_size), [0, 1])
    expected = predict(Oracle(), make_loader(theta), [0, 1])
    np.testing.assert_array_equal(found.mean, expected.mean)
    np.testing.assert_array_equal(found.std, expected.std)


@pytest.mark.parametrize("training", [True, False])
def test_mode_of_the_network_is_kept(theta, training):
    network = Oracle().train(training)
    predict(network, make_loader(theta), [0])
    assert network.training is training
    assert network.weight.grad is None


def test_maps_with_another_truth_are_refused(theta, monkeypatch):
    loader, reverse = make_loader(theta), make_loader(theta, simulations=(1, 0))
    monkeypatch.setattr(loader, "ordered", reverse.ordered)
    with pytest.raises(ValueError, match="Expected maps in the order of its theta, got row 0"):
        predict(Oracle(), loader, [0])


def test_missing_maps_are_refused(theta, monkeypatch):
    loader, half = make_loader(theta), make_loader(theta, simulations=(0,))
    monkeypatch.setattr(loader, "ordered", half.ordered)
    with pytest.raises(ValueError, match="Expected 60 maps in order, got 30"):
        predict(Oracle(), loader, [0, 1])


def test_no_orientation_is_refused(theta):
    with pytest.raises(ValueError, match="at least one map in one orientation"):
        predict(Oracle(), make_loader(theta), [])


def test_diverged_network_is_refused(theta):
    network = Oracle()
    network.scale = float("nan")
    with pytest.raises(
        ValueError, match="mean of Omega_m: Expected finite values, got nan in row 0"
    ):
        predict(network, make_loader(theta), [0])


def test_other_output_shape_is_refused(theta):
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.LazyLinear(4))
    network(torch.zeros(1, N_CHANNELS, 8, 8))
    with pytest.raises(ValueError, match=r"Expected output \(4, 12\), got \(4, 4\)"):
        predict(network, make_loader(theta), [0])


def test_it_takes_the_threads_that_it_is_given(theta):
    before, seen = torch.get_num_threads(), set()

    class Counting(Oracle):
        def forward(self, x):
            seen.add(torch.get_num_threads())
            return super().forward(x)

    predict(Counting(), make_loader(theta), [0], n_threads=before + 1)
    assert (seen, torch.get_num_threads()) == ({before + 1}, before)


def test_features_equal_in_all_orientations_are_computed_once(theta, monkeypatch):
    torch.manual_seed(1)
    network = SummaryStatistics(1, 0.0, 1, 16, head="autoregressive")
    network.FC3.weight.data.normal_(0, 0.1)
    shapes = []
    encode = SummaryStatistics.encode
    monkeypatch.setattr(
        SummaryStatistics, "encode", lambda self, x: (shapes.append(len(x)), encode(self, x))[1]
    )
    maps = np.random.default_rng(2).standard_normal((30, 16, 16), dtype=np.float32)
    normalization = Normalization(over="all", fields=("Mtot",), mean=(0.0,), std=(1.0,))
    loader = MapLoader([maps], theta, (0, 1), normalization, batch_size=30, inferred=(0, 1))
    results = predict(network, loader, range(8))
    assert shapes == [30]
    assert len(results) == 8 * 30
    averaged = average_orientations(results, 8)
    assert len(averaged.posterior.components) == MEMBERS  # instead of 8 times as many
    alone = predict(network, loader, [3])
    np.testing.assert_allclose(averaged.mean, alone.mean, rtol=1e-4)  # rounding of statistics
    np.testing.assert_array_equal(averaged.theta, alone.theta)
