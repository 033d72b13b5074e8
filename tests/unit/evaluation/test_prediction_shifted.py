import numpy as np
import pytest
import torch

from multifield.data import MapLoader, Normalization
from multifield.evaluation.prediction import Viewed, predict_shifted

SIZE = 8


class Corner(torch.nn.Module):
    """Returns the pixel in the corner, whose value is its position before the shift."""

    def forward(self, x):
        value = x[:, 0, 0, 0]
        return torch.stack([value] * 6 + [torch.ones_like(value)] * 6, dim=1)


@pytest.fixture
def loader():
    pixels = np.arange(SIZE * SIZE, dtype=np.float32).reshape(SIZE, SIZE)
    maps = np.stack([pixels + 100 * number for number in range(30)])
    theta = np.random.default_rng(0).random((2, 6)) + 0.5
    normalization = Normalization(fields=("Mtot",), over="all", mean=(0.0,), std=(1.0,))
    return MapLoader([maps], theta, (0, 1), normalization, batch_size=7, inferred=tuple(range(6)))


def predicted(loader, n_shifts, seed=3):
    return predict_shifted(
        Corner(), loader, [0], n_shifts=n_shifts, seed=seed, map_size=SIZE, device="cpu"
    )


def test_a_shift_is_periodic():
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    shifted = Viewed(Corner(), lambda maps: torch.roll(maps, (1, 3), (-2, -1)))
    assert shifted(x)[0, 0] == x[0, 0, 3, 1]


def test_rows_are_ordered_by_shift_then_map(loader):
    results = predicted(loader, 4)
    assert len(results) == 4 * 30
    of_sigma_8 = (results.mean[:, 1] - 0.6) / 0.4  # [0, 1] units are the pixels
    offsets = of_sigma_8.reshape(4, 30) - 100 * np.arange(30)
    down, right = np.random.default_rng(3).integers(0, SIZE, (4, 2)).T
    expected = (-down % SIZE) * SIZE + (-right % SIZE)
    float32_of_3000 = 1e-3
    np.testing.assert_allclose(offsets, np.tile(expected[:, None], 30), atol=float32_of_3000)
    np.testing.assert_array_equal(results.theta, np.tile(loader.theta, (4, 1)))


def test_the_seed_decides(loader):
    first, again, other = (predicted(loader, 3, seed).mean for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_no_shift_is_refused(loader):
    with pytest.raises(ValueError, match="n_shifts: Expected >= 1, got 0"):
        predicted(loader, 0)
