import numpy as np
import pytest

from multifield.data.joined import JoinedMaps
from multifield.data.loader import MapLoader
from multifield.data.normalization import Normalization
from tests.helpers.tolerances import SCALED_TWICE_ATOL

NORMALIZATION = Normalization(over="all", fields=("T", "Z"), mean=(1.0, 2.0), std=(0.5, 3.0))


def channels() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2, 75, 16, 16)).astype(np.float32)


def load(maps, simulations=(4, 0, 2), **options) -> MapLoader:
    theta = np.random.default_rng(1).uniform(0.2, 0.4, (5, 6))
    return MapLoader(
        maps, theta, simulations, NORMALIZATION, batch_size=7, inferred=(0, 1), **options
    )


def join(each: np.ndarray) -> JoinedMaps:
    return JoinedMaps((each[:15], each[15:60], each[60:]))


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_joined_files_give_the_batches_of_one_file(dtype):
    maps = channels()
    one, joined = load(list(maps), dtype=dtype), load([join(each) for each in maps], dtype=dtype)
    draws = {"flips": True, "shifts": True}
    for a, b in zip(
        one.random_epoch(3, 1, **draws), joined.random_epoch(3, 1, **draws), strict=True
    ):
        np.testing.assert_array_equal(a.x, b.x)
        np.testing.assert_array_equal(a.theta, b.theta)
        np.testing.assert_array_equal(a.index, b.index)


def test_threads_do_not_matter():
    maps = [join(each) for each in channels()]
    rows = np.arange(40)
    np.testing.assert_array_equal(
        load(maps, n_threads=5).take(rows).x, load(maps, n_threads=1).take(rows).x
    )


def test_each_map_knows_its_part():
    joined = join(channels()[0])
    assert joined.shape == (75, 16, 16)
    np.testing.assert_array_equal(
        joined.part_of(np.array([74, 0, 14, 15, 59, 60])), [2, 0, 0, 1, 1, 2]
    )


def test_parts_of_other_sizes_are_refused():
    with pytest.raises(ValueError, match="Expected parts of one shape, got"):
        JoinedMaps((np.zeros((15, 16, 16), np.float32), np.zeros((15, 32, 32), np.float32)))


def test_compact_maps_are_refused():
    """Their numbers mean another thing in each file."""
    with pytest.raises(TypeError, match="compact to false"):
        JoinedMaps((np.zeros((15, 16, 16), np.float32), np.zeros((15, 16, 16), np.float16)))


def test_joined_and_single_channels_do_not_mix():
    maps = channels()
    with pytest.raises(TypeError, match="of one class, got ArrayMaps, JoinedMaps"):
        load([maps[0], join(maps[1])])


def test_parts_are_standardized_by_their_own_scales():
    """The same as one file whose parts were standardized beforehand, and normalized then."""
    maps, scales = channels(), ((4.0, 2.0), (-1.0, 0.5), (0.25, 8.0))  # exact in binary
    parts = [slice(0, 15), slice(15, 60), slice(60, None)]
    done = maps.copy()
    for part, (mean, std) in zip(parts, scales, strict=True):
        done[:, part] = (maps[:, part] - np.float32(mean)) / np.float32(std)
    scaled = load([JoinedMaps(join(each).parts, scales) for each in maps]).take(np.arange(40))
    np.testing.assert_allclose(
        scaled.x, load(list(done)).take(np.arange(40)).x, rtol=0, atol=SCALED_TWICE_ATOL
    )


def test_a_scale_for_some_parts_alone_is_refused():
    each = channels()[0]
    with pytest.raises(ValueError, match="one for each of 3 parts, got 2"):
        JoinedMaps(join(each).parts, ((0.0, 1.0), (1.0, 1.0)))
