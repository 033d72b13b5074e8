import numpy as np
import pytest

from multifield import camels
from multifield.maps.loader import MapLoader
from multifield.maps.normalization import Normalization
from multifield.maps.reference import gather

SIDE = 8
N_SIMULATIONS = 6
NORMALIZATION = Normalization(over="all", fields=("Mgas", "HI"), mean=(10.0, 5.0), std=(0.5, 2.0))


@pytest.fixture
def maps(rng):
    shape = (15 * N_SIMULATIONS, SIDE, SIDE)
    return [rng.normal(mean, 1, shape).astype(np.float32) for mean in (10, 5)]


@pytest.fixture
def theta(rng):
    return rng.uniform(0.1, 1, (N_SIMULATIONS, 6))


@pytest.fixture
def loader(maps, theta):
    return MapLoader(
        maps, theta, (4, 1, 5), NORMALIZATION, batch_size=16, inferred=(0, 1), n_threads=2
    )


def collect(batches):
    parts = [(batch.x.copy(), batch.theta.copy(), batch.index.copy()) for batch in batches]
    return tuple(np.concatenate(part) for part in zip(*parts, strict=True))


def test_ordered_is_orientation_simulation_map(loader, maps):
    x, _, index = collect(loader.ordered(range(8)))
    expected = [*range(60, 75), *range(15, 30), *range(75, 90)]
    np.testing.assert_array_equal(index, expected * 8)
    for orientation in range(8):
        rotation, flip = divmod(orientation, 2)
        oriented = np.rot90(
            maps[1][60], k=rotation
        )  # the benchmark's order: rotate, then flip rows
        oriented = np.flip(oriented, axis=0) if flip else oriented
        np.testing.assert_allclose(x[45 * orientation, 1], (oriented - 5) / 2, rtol=1e-6)


def test_every_map_once_an_epoch_with_its_parameters(loader, theta):
    _, scaled, index = collect(loader.random_epoch(1, 0, flips=True, shifts=True))
    assert sorted(index) == sorted([*range(60, 75), *range(15, 30), *range(75, 90)])
    expected = camels.scale_theta(theta[index // 15]).astype(np.float32)
    np.testing.assert_array_equal(scaled, expected)
    np.testing.assert_array_equal(loader.theta, theta[np.repeat([4, 1, 5], 15)])


def test_an_epoch_can_be_made_again(loader):
    first = collect(loader.random_epoch(1, 3, flips=True, shifts=True))
    again = collect(loader.random_epoch(1, 3, flips=True, shifts=True))
    other = collect(loader.random_epoch(1, 4, flips=True, shifts=True))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first[2], other[2])


def orientations_seen(loader, maps, *, flips):
    """Which of the eight orientations each map came in."""
    seen = set()
    for epoch in range(20):
        x, _, index = collect(loader.random_epoch(1, epoch, flips=flips, shifts=False))
        for orientation in range(8):
            copies = np.empty_like(x)
            gather(
                maps,
                index,
                np.full(len(index), orientation),
                np.zeros((len(index), 2), np.int64),
                np.array(NORMALIZATION.mean),
                np.array(NORMALIZATION.std),
                copies,
            )
            if (copies == x).all(axis=(1, 2, 3)).any():
                seen.add(orientation)
    return seen


def test_all_orientations_come_up(loader, maps):
    assert orientations_seen(loader, maps, flips=True) == set(range(8))


def test_without_flips_the_four_rotations_alone(loader, maps):
    assert orientations_seen(loader, maps, flips=False) == {0, 2, 4, 6}


def test_shifts_keep_the_pixels(loader):
    plain, _, _ = collect(loader.random_epoch(1, 0, flips=True, shifts=False))
    shifted, _, _ = collect(loader.random_epoch(1, 0, flips=True, shifts=True))
    assert not np.array_equal(plain, shifted)
    sort = lambda x: np.sort(x.reshape(len(x), 2, -1))  # noqa: E731
    np.testing.assert_array_equal(sort(plain), sort(shifted))


def test_the_buffer_is_reused(loader):
    batches = loader.ordered([0])
    first = next(batches).x
    assert np.shares_memory(first, next(batches).x)
