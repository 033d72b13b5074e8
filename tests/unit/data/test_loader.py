import gc
import os
import subprocess
import sys
import threading
import weakref
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from multifield import camels
from multifield.data.augmentation import draw_epoch
from multifield.data.loader import MapLoader
from multifield.data.normalization import Normalization
from multifield.data.prefetch import THREAD_NAME, prefetched
from multifield.maps.reference import gather
from tests.helpers import tolerances

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
def load(maps, theta):
    """Make a loader of 45 maps in batches of 16, with options of its own."""

    def make(**options):
        options = {"batch_size": 16, "inferred": (0, 1), "n_threads": 2, **options}
        return MapLoader(maps, theta, (4, 1, 5), NORMALIZATION, **options)

    return make


@pytest.fixture(params=[0, 2])
def loader(load, request):
    """Without a thread of its own, and with one."""
    return load(prefetch=request.param)


def collect(batches):
    parts = [(batch.x.copy(), batch.theta.copy(), batch.index.copy()) for batch in batches]
    return tuple(np.concatenate(part) for part in zip(*parts, strict=True))


def test_a_simulation_of_a_larger_box_has_more_maps(maps, theta):
    """30 maps of each of three simulations in place of 15 of each of six."""
    options = {"batch_size": 16, "inferred": (0, 1), "maps_per_simulation": 30}
    loader = MapLoader(maps, theta[:3], (2, 0), NORMALIZATION, **options)
    _, _, index = collect(loader.ordered((0,)))
    np.testing.assert_array_equal(index, [*range(60, 90), *range(30)])
    np.testing.assert_array_equal(loader.theta, np.repeat(theta[[2, 0]], 30, axis=0))


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


def test_chosen_maps_are_given_as_they_lie_in_their_file(loader, maps):
    batch = loader.take(np.array([44, 0]))
    np.testing.assert_array_equal(batch.index, [89, 60])
    np.testing.assert_allclose(batch.x[:, 1], (maps[1][[89, 60]] - 5) / 2, rtol=1e-6)
    again = batch.x.copy()
    next(loader.ordered([3]))  # an array of its own, no buffer of the ring
    np.testing.assert_array_equal(batch.x, again)


def test_a_loader_of_other_simulations_gives_their_maps(loader, maps, theta):
    other = loader.serving(theta, (3,))
    ours = collect(other.ordered([0, 6]))
    alone = MapLoader(maps, theta, (3,), NORMALIZATION, batch_size=16, inferred=(0, 1))
    for found, expected in zip(ours, collect(alone.ordered([0, 6])), strict=True):
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(other.theta, np.repeat(theta[[3]], 15, axis=0))
    assert len(loader) == 45


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


def loader_threads():
    return [t for t in threading.enumerate() if t.name.startswith(THREAD_NAME)]


@pytest.mark.parametrize("prefetch", [0, 1, 3])
def test_buffers_are_used_in_turn(load, prefetch):
    batches = [batch.x for batch in load(prefetch=prefetch).ordered(range(4))]
    for k, x in enumerate(batches):
        shared = [np.shares_memory(x, other) for other in batches]
        assert shared == [(k - other) % (prefetch + 1) == 0 for other in range(len(batches))]


def test_two_iterators_do_not_write_into_each_others_batches(load):
    loader = load(prefetch=1)
    expected, _, _ = collect(loader.ordered([3]))
    with_another_beside_it = []
    for batch, _ in zip(loader.ordered([3]), loader.ordered([0]), strict=True):
        with_another_beside_it.append(batch.x.copy())
    np.testing.assert_array_equal(np.concatenate(with_another_beside_it), expected)


@pytest.mark.parametrize("n_threads", [0, 1, 7])
@pytest.mark.parametrize("prefetch", [0, 1, 5])
def test_batches_do_not_depend_on_threads_or_prefetch(load, n_threads, prefetch):
    loader = load(n_threads=n_threads, prefetch=prefetch)
    found = collect(loader.random_epoch(1, 3, flips=True, shifts=True))
    expected = collect(load(n_threads=1).random_epoch(1, 3, flips=True, shifts=True))
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_slot_in_use_is_left_alone_while_the_others_are_filled():
    """With item k in use the thread makes the next two, into their own slots, and then waits."""
    slots: list[list[int]] = [[-1], [-1], [-1]]
    filled = [threading.Event() for _ in range(9)]

    def make(number, slot):
        slot[0] = number
        filled[number].set()
        return slot

    with closing(prefetched(make, range(9), slots)) as items:
        for number in range(7):
            slot = next(items)
            assert filled[number + 2].wait(tolerances.TIME_LIMIT)
            assert sorted(slots) == [[number], [number + 1], [number + 2]]
            assert slot == [number]


@pytest.mark.parametrize("prefetch", [0, 2])
def test_an_error_reaches_who_asks_for_the_batch(load, maps, prefetch):
    loader = load(prefetch=prefetch, allocate=lambda shape, dtype: np.empty(shape, np.float16))
    with pytest.raises(TypeError, match="out: Expected float32, got float16"):
        next(loader.ordered([0]))
    assert not loader_threads()


def test_an_error_comes_in_the_place_of_its_batch():
    def make(number, slot):
        if number == 3:
            raise OSError(f"map {number} cannot be read")
        return number

    items = prefetched(make, range(9), "ab")
    assert [next(items), next(items), next(items)] == [0, 1, 2]
    with pytest.raises(OSError, match="map 3 cannot be read"):
        next(items)
    assert not loader_threads()


def leave_by_break(loader):
    for _ in loader.ordered(range(8)):
        assert len(loader_threads()) == 1
        break


def leave_by_exception(loader):
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012
        for _ in loader.ordered(range(8)):
            raise KeyboardInterrupt


def leave_by_close(loader):
    batches = loader.ordered(range(8))
    next(batches)
    batches.close()


def leave_by_collection(loader):
    batches = loader.ordered(range(8))
    next(batches)
    cycle = [batches]
    cycle.append(cycle)
    del batches, cycle
    gc.collect()


def leave_at_the_end(loader):
    assert sum(len(batch.index) for batch in loader.ordered([0])) == 45


def never_begin(loader):
    loader.ordered([0])


@pytest.mark.parametrize(
    "leave",
    [
        leave_by_break,
        leave_by_exception,
        leave_by_close,
        leave_by_collection,
        leave_at_the_end,
        never_begin,
    ],
)
def test_the_thread_ends_with_its_iterator(load, leave):
    loader = load(prefetch=2)
    leave(loader)
    gc.collect()  # what an exception's traceback holds
    assert not loader_threads()


def test_nothing_keeps_a_loader_alive(load):
    loader = load(prefetch=2)
    leave_by_break(loader)
    alive = weakref.ref(loader)
    del loader
    gc.collect()
    assert alive() is None


def test_a_program_ends_while_batches_are_made_ahead():
    program = """
from multifield.data.prefetch import prefetched
items = prefetched(lambda number, slot: number, range(10**6), "abc")
print(next(items))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=tolerances.TIME_LIMIT,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", "")


@pytest.mark.parametrize("first_batch", [0, 1, 2, 3])
def test_an_epoch_goes_on_where_it_was_left(loader, first_batch):
    draws = {"flips": True, "shifts": True}
    x, theta, index = collect(loader.random_epoch(1, 3, **draws))
    rest = [
        (batch.x.copy(), batch.theta, batch.index)
        for batch in loader.random_epoch(1, 3, **draws, first_batch=first_batch)
    ]
    assert len(rest) == 3 - first_batch
    for k, parts in enumerate(rest, first_batch):
        rows = slice(16 * k, 16 * (k + 1))
        for found, whole in zip(parts, (x, theta, index), strict=True):
            np.testing.assert_array_equal(found, whole[rows])


@pytest.mark.parametrize("first_batch", [-1, 4])
def test_a_batch_that_an_epoch_has_not_is_refused(loader, first_batch):
    with pytest.raises(ValueError, match=f"first_batch: Expected 0 to 3, got {first_batch}"):
        loader.random_epoch(1, 0, flips=True, shifts=True, first_batch=first_batch)


def test_draws_are_those_of_numpys_generator_in_this_order():
    """Networks trained before can be trained again as long as these stay."""
    plan = draw_epoch(45, SIDE, 1, 3, flips=True, shifts=True)
    rng = np.random.default_rng([1, 3])
    np.testing.assert_array_equal(plan.order, rng.permutation(45))
    rotation, flip = rng.integers(0, 4, 45), rng.integers(0, 2, 45)
    np.testing.assert_array_equal(plan.orientation, 2 * rotation + flip)
    np.testing.assert_array_equal(plan.shift, rng.integers(0, SIDE, (45, 2)))


def test_negative_prefetch_is_refused(load):
    with pytest.raises(ValueError, match="prefetch: Expected >= 0 batches, got -1"):
        load(prefetch=-1)


def test_batches_in_half_precision(load):
    exact, _, _ = collect(load().random_epoch(1, 0, flips=True, shifts=True))
    half, _, _ = collect(load(dtype="float16").random_epoch(1, 0, flips=True, shifts=True))
    np.testing.assert_array_equal(half, exact.astype(np.float16))


def test_batches_in_bfloat16_are_given_as_bits(load):
    exact, _, _ = collect(load().ordered([0]))
    bits, _, _ = collect(load(dtype="bfloat16").ordered([0]))
    found = (bits.astype(np.uint32) << 16).view(np.float32)
    np.testing.assert_allclose(found, exact, rtol=tolerances.BFLOAT16_RTOL)


READ_A_FEW = """
import sys
import numpy as np
from multifield.data import MapLoader, Normalization
from multifield.maps import open_maps

def memory(name):
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))

maps = open_maps(sys.argv[1])
n = len(maps) // 15
normalization = Normalization(over="all", fields=("Mtot",), mean=(0.0,), std=(1.0,))
before = memory("VmRSS")
loader = MapLoader([maps], np.ones((n, 6)), tuple(range(n)), normalization,
                   batch_size=16, inferred=(0, 1), prefetch=2, n_threads=2)
for number, batch in enumerate(loader.random_epoch(1, 0, flips=True, shifts=True)):
    if number == 4:
        break
print(maps.nbytes / 2**20, memory("VmHWM") - before)
"""


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="memory is read from Linux' /proc"
)
def test_a_field_larger_than_memory_is_never_copied(tmp_path):
    """Batches of a sparse file of 4 GB take what they touch of it, not the file."""
    path, shape = tmp_path / "log.npy", (15 * 1092, 256, 256)
    with path.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + 4 * int(np.prod(shape)))
    done = subprocess.run(
        [sys.executable, "-c", READ_A_FEW, str(path)],
        capture_output=True,
        text=True,
        env=os.environ | {"MALLOC_ARENA_MAX": "2"},
        timeout=tolerances.TIME_LIMIT,
        check=True,
    )
    size, grown = (float(number) for number in done.stdout.split())
    assert size > 4000
    assert grown < 200  # [MB]; five batches of 16 maps are 20 MB in the file and 4 MB a buffer
