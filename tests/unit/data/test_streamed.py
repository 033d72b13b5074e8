"""Log maps made where they are read equal those that are kept, bit for bit."""

import dataclasses
import os
from contextlib import closing

import numpy as np
import pytest

from multifield.config.data import PreprocessingConfig
from multifield.data.loader import MapLoader
from multifield.data.map_files import save_maps
from multifield.data.normalization import Normalization
from multifield.data.preprocess import Preprocessing, open_log_maps
from multifield.maps.memory import open_maps

CONFIG = PreprocessingConfig(smoothing_width=1.5, remove_monopole=True, compact=False, n_threads=2)
PLAIN = dataclasses.replace(CONFIG, smoothing_width=0, remove_monopole=False)
NORMALIZATION = Normalization(over="all", fields=("Mtot", "Mstar"), mean=(0.1, 0.2), std=(0.3, 0.4))


@pytest.fixture
def preprocessings(tmp_path, lognormal_maps):
    """Two fields of 60 maps in files."""
    save_maps(tmp_path / "first.npy", lognormal_maps)
    save_maps(tmp_path / "second.npy", lognormal_maps[::-1])
    first, second = open_maps(tmp_path / "first.npy"), open_maps(tmp_path / "second.npy")
    return [Preprocessing(first, "Mtot", CONFIG, "a"), Preprocessing(second, "Mstar", CONFIG, "b")]


@pytest.fixture
def kept(tmp_path, preprocessings):
    """Their log maps in files."""
    paths = [tmp_path / f"log_{each.field}.npy" for each in preprocessings]
    for each, path in zip(preprocessings, paths, strict=True):
        each.write(path)
    return [open_log_maps(path) for path in paths]


def make_loader(log_maps, n_threads=2, **options):
    theta = np.random.default_rng(1).uniform(0.1, 1, (len(log_maps[0].moments) // 15, 6))
    return MapLoader(
        [each.channel for each in log_maps],
        theta,
        (1, 0),
        NORMALIZATION,
        batch_size=16,
        inferred=(0, 1),
        n_threads=n_threads,
        **options,
    )


def batches_of(loader):
    for batches in (loader.ordered([0, 5]), loader.random_epoch(1, 2, flips=True, shifts=True)):
        with closing(batches):
            yield from (batch.x.copy() for batch in batches)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("options", [{"n_threads": 1}, {"n_threads": 3, "prefetch": 2}])
def test_batches_are_those_of_kept_maps(preprocessings, kept, dtype, options):
    made = make_loader([each.stream() for each in preprocessings], dtype=dtype, **options)
    for ours, expected in zip(
        batches_of(made), batches_of(make_loader(kept, dtype=dtype)), strict=True
    ):
        np.testing.assert_array_equal(ours, expected)


def test_moments_and_provenance_are_those_of_kept_maps(preprocessings, kept):
    made = preprocessings[0].stream()
    np.testing.assert_array_equal(made.moments, kept[0].moments)
    assert made.provenance == kept[0].provenance


@pytest.mark.parametrize(
    "chosen", [slice(None), slice(20, 3, -2), slice(0, 0), np.array([5, 6, 7, 2, 2, -1])]
)
def test_reading_is_indexing(preprocessings, kept, chosen):
    np.testing.assert_array_equal(preprocessings[0].stream().read(chosen), kept[0].read(chosen))


def test_a_map_beyond_the_file_is_an_error(preprocessings):
    with pytest.raises(IndexError, match="out of bounds"):
        preprocessings[0].stream().read(np.array([60]))


def test_the_file_and_map_of_a_pixel_that_went_bad_are_named(tmp_path, lognormal_maps):
    lognormal_maps = lognormal_maps.copy()
    log_maps = Preprocessing(lognormal_maps, "Mtot", PLAIN, "a").stream()
    lognormal_maps[17, 3, 5] = 0
    loader = make_loader([log_maps, log_maps])
    with pytest.raises(ValueError, match=r"Mtot: map 17 \(simulation 1\), pixel \(3, 5\)"):
        list(loader.ordered([0]))


def test_kept_and_streamed_channels_do_not_mix(preprocessings, kept):
    mixed = [preprocessings[0].stream(), kept[1]]
    with pytest.raises(TypeError, match="of one class, got ArrayMaps, StreamedMaps"):
        make_loader(mixed)


def test_compact_log_maps_are_for_files(lognormal_maps):
    config = dataclasses.replace(PLAIN, compact=True)
    with pytest.raises(ValueError, match=r"preprocessing\.compact: Expected false"):
        Preprocessing(lognormal_maps, "Mtot", config, "abc").stream()


@pytest.mark.parametrize(
    "read", [lambda maps: maps.maps[:], lambda maps: list(make_loader([maps, maps]).ordered([0]))]
)
def test_a_file_cut_short_is_an_error(tmp_path, lognormal_maps, read):
    save_maps(tmp_path / "maps.npy", lognormal_maps)
    log_maps = Preprocessing(open_maps(tmp_path / "maps.npy"), "Mtot", PLAIN, "a").stream()
    os.truncate(tmp_path / "maps.npy", lognormal_maps.nbytes)  # 128 bytes of header too few
    with pytest.raises(
        OSError, match=r"maps\.npy.*expected 128 more bytes at byte.*end of the file"
    ):
        read(log_maps)
