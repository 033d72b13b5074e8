"""Log maps in 16 bits: what is lost is measured, bounded and kept beside them."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from multifield.evaluation import predict
from multifield.maps import MapLoader, Normalization, load_splits
from multifield.maps.compact import Encoder, Encoding, normalization_as_kept
from multifield.maps.files import open_maps, save_maps, write_header, write_theta
from multifield.maps.loader import SplitLoaders
from multifield.maps.manifest import verify_suite
from multifield.maps.normalization import NormalizationConfig, fit_normalization
from multifield.maps.preprocess import (
    LogMaps,
    Preprocessing,
    PreprocessingConfig,
    moments_path,
    open_log_maps,
)
from multifield.maps.splits import SplitConfig, split_simulations
from multifield.maps.test_maps import reuse_log_maps
from multifield.models import O3Err
from multifield.selection import Selection
from multifield.training import Hyperparameters, train_network
from tests import tolerances
from tests.unit.training.examples import config, make_theta

PLAIN = PreprocessingConfig(smoothing_width=1, remove_monopole=False, compact=False, n_threads=1)
COMPACT = dataclasses.replace(PLAIN, compact=True)
HALF_ULP = 2**-11  # of float16 in [1, 2); in [2^e, 2^(e + 1)) it is 2^e times this


def write(raw, path, settings=COMPACT):
    Preprocessing(raw, "Mtot", settings, "abc").write(path)
    return open_log_maps(path)


@pytest.fixture
def plain(tmp_path, lognormal_maps):
    return write(lognormal_maps, tmp_path / "plain.npy", PLAIN)


@pytest.fixture
def compact(tmp_path, lognormal_maps):
    return write(lognormal_maps, tmp_path / "compact.npy")


def test_half_the_bytes(tmp_path, plain, compact):
    assert compact.maps.dtype == np.float16
    assert isinstance(compact.maps, np.memmap)
    assert 2 * compact.maps.nbytes == plain.maps.nbytes
    assert (tmp_path / "compact.npy").stat().st_size == compact.maps.nbytes + 128


def test_nothing_but_the_maps_and_their_moments_is_left(tmp_path, compact):
    assert sorted(p.name for p in tmp_path.iterdir()) == ["compact.moments.npz", "compact.npy"]


def test_statistics_are_those_of_the_float32_maps(plain, compact):
    np.testing.assert_array_equal(compact.moments, plain.moments)
    exact = plain.maps.astype(np.float64)
    assert compact.encoding.mean == pytest.approx(exact.mean(), rel=tolerances.ROUNDING_RTOL)
    assert compact.encoding.std == pytest.approx(exact.std(), rel=tolerances.MOMENTS_RTOL)


def test_the_error_is_bounded_by_half_a_unit_in_the_last_place(plain, compact):
    """Of float16, at the pixel farthest from the mean."""
    encoding = compact.encoding
    farthest = np.abs((plain.maps.astype(np.float64) - encoding.mean) / encoding.std).max()
    bound = HALF_ULP * 2 ** np.floor(np.log2(farthest))
    in_float32 = 1 + 2**-12  # standardized with 13 bits more than are kept
    assert bound / 8 < encoding.max_error_in_std <= bound * in_float32
    assert encoding.max_error == pytest.approx(encoding.max_error_in_std * encoding.std)


def test_errors_kept_are_those_of_every_pixel(plain, compact):
    encoding = compact.encoding
    read = encoding.mean + encoding.std * compact.maps.astype(np.float64)
    error = read - plain.maps
    # standardized in float32: 13 bits more than are kept
    assert encoding.max_error == pytest.approx(np.abs(error).max(), rel=2**-12)
    assert encoding.rms_error == pytest.approx(np.sqrt(np.mean(error**2)), rel=2**-12)
    # most pixels lie within 2 std, where a unit is at most 2 HALF_ULP wide: rms of a rounding is
    # 1 / sqrt(12) of a unit
    assert encoding.rms_error_in_std < 2 * HALF_ULP / np.sqrt(3)


def test_reading_gives_log_maps(plain, compact):
    rows = slice(3, 9)
    found = compact.read(rows)
    assert found.dtype == np.float32
    rounding = tolerances.EPS32 * np.abs(plain.maps).max()
    limit = compact.encoding.max_error + rounding
    np.testing.assert_allclose(found, plain.maps[rows], rtol=0, atol=limit)
    np.testing.assert_array_equal(plain.read(rows), plain.maps[rows])


def test_blocks_do_not_matter(tmp_path, compact, lognormal_maps, monkeypatch):
    monkeypatch.setattr("multifield.maps.files.BLOCK_BYTES", 7 * lognormal_maps[0].nbytes)
    cut = write(lognormal_maps, tmp_path / "cut.npy")
    np.testing.assert_array_equal(cut.maps, compact.maps)
    assert cut.encoding.max_error == compact.encoding.max_error


def test_one_map_alone(tmp_path, lognormal_maps):
    assert len(write(lognormal_maps[:1], tmp_path / "log.npy").maps) == 1


def test_a_bad_pixel_leaves_the_old_maps_and_nothing_else(tmp_path, compact, lognormal_maps):
    before = compact.maps.copy()
    lognormal_maps[17, 3, 5] = np.nan
    with pytest.raises(ValueError, match="map 17"):
        write(lognormal_maps, tmp_path / "compact.npy")
    np.testing.assert_array_equal(open_log_maps(tmp_path / "compact.npy").maps, before)
    assert len(list(tmp_path.iterdir())) == 2


def test_maps_that_do_not_vary_are_refused(tmp_path):
    flat = np.full((15, 8, 8), 10, np.float32)
    with pytest.raises(ValueError, match=r"Mtot: expected log maps that vary.*preprocessing\.comp"):
        write(flat, tmp_path / "log.npy")
    assert not list(tmp_path.iterdir())


def test_moments_of_other_maps_are_refused(tmp_path, compact, lognormal_maps):
    """As a kill between two renames leaves them."""
    write(2 * lognormal_maps[::-1].copy(), tmp_path / "other.npy")
    (tmp_path / "other.npy").replace(tmp_path / "compact.npy")
    with pytest.raises(ValueError, match=r"compact\.moments\.npz: expected the moments of"):
        open_log_maps(tmp_path / "compact.npy")


def test_maps_of_another_type_than_their_moments_say_are_refused(tmp_path, plain, compact):
    (tmp_path / "plain.npy").replace(tmp_path / "compact.npy")
    with pytest.raises(TypeError, match=r"compact\.npy: expected float16 maps, got .*float32"):
        open_log_maps(tmp_path / "compact.npy")


def test_they_are_not_taken_for_float32_maps(compact, lognormal_maps):
    home = Selection(suite="IllustrisTNG", sim_set="LH", field="Mtot")
    present = {"Mtot": compact}
    for settings, expected in ((COMPACT, True), (PLAIN, False)):
        wanted = {"Mtot": Preprocessing(lognormal_maps, "Mtot", settings, "abc")}
        reused = reuse_log_maps(wanted, present, home, home)["Mtot"] is compact
        assert reused is expected
    assert moments_path(compact.maps.filename).is_file()


def test_encoding_and_normalization_are_one_affine_map(rng):
    encoding = Encoding(mean=11.0, std=0.5, max_error=0.0, rms_error=0.0)
    normalization = Normalization(over="all", fields=("T", "HI"), mean=(10.9, 3.0), std=(0.4, 2.0))
    kept = normalization_as_kept(normalization, (encoding, None))
    q = rng.normal(size=100)
    expected = (11.0 + 0.5 * q - 10.9) / 0.4
    np.testing.assert_allclose((q - kept.mean[0]) / kept.std[0], expected, rtol=1e-12)
    assert (kept.mean[1], kept.std[1]) == (3.0, 2.0)
    assert kept.fields == normalization.fields


def test_batches_are_off_by_the_error_kept(plain, compact):
    normalization = Normalization(over="all", fields=("Mtot",), mean=(10.0,), std=(0.7,))
    options = {"batch_size": 8, "inferred": (0, 1)}
    exact, found = (
        np.concatenate([b.x.copy() for b in loader.ordered(range(8))])
        for loader in (
            MapLoader([maps], make_theta(2), (0, 1), normalization, **options)
            for maps in (plain, compact)
        )
    )
    rounding = 4 * tolerances.EPS32 * np.abs(exact).max()
    limit = compact.encoding.max_error / 0.7 + rounding
    assert 0 < np.abs(found - exact).max() <= limit


def test_numbers_in_16_bits_without_their_meaning_are_refused(compact):
    normalization = Normalization(over="all", fields=("Mtot",), mean=(10.0,), std=(0.7,))
    options = {"batch_size": 8, "inferred": (0, 1)}
    with pytest.raises(TypeError, match=r"maps\[0\]: expected float32 .*, or LogMaps.*got float16"):
        MapLoader([compact.maps], make_theta(2), (0, 1), normalization, **options)


def test_several_fields(compact, plain):
    """Each channel with an encoding of its own."""
    other = LogMaps(
        compact.maps, plain.moments, {}, dataclasses.replace(compact.encoding, mean=3.0)
    )
    normalization = Normalization(over="all", fields=("T", "HI"), mean=(10.0, 3.0), std=(1.0, 1.0))
    options = {"batch_size": 30, "inferred": (0, 1)}
    loader = MapLoader([compact, other], make_theta(2), (0, 1), normalization, **options)
    x = next(loader.ordered([0])).x
    shift = compact.encoding.mean - 10.0
    np.testing.assert_allclose(x[:, 0] - shift, x[:, 1], atol=1e-5)  # float32 of numbers near 10


def test_an_encoder_counts_every_block(rng):
    maps = rng.normal(11, 0.5, (6, 8, 8)).astype(np.float32)
    whole, cut = Encoder(11.0, 0.5, 1), Encoder(11.0, 0.5, 3)
    kept = whole.encode(maps)
    parts = [cut.encode(maps[rows]).copy() for rows in (slice(0, 1), slice(1, 6))]
    np.testing.assert_array_equal(kept, np.concatenate(parts))
    assert cut.encoding() == whole.encoding()


def test_the_mean_is_one_that_float32_holds(rng):
    """A rest would shift every map alike, and be counted as no error."""
    encoder = Encoder(1 / 3, 0.5, 1)
    encoder.encode(rng.normal(size=(2, 8, 8)).astype(np.float32))
    assert encoder.encoding().mean == np.float32(1 / 3)


def test_a_pixel_that_float16_does_not_hold_is_refused():
    encoder = Encoder(0.0, 1e-4, 1)
    encoder.encode(np.full((1, 8, 8), 7.0, np.float32))
    with pytest.raises(
        ValueError, match=r"within 65504 standard deviations.*preprocessing\.compact"
    ):
        encoder.encoding()


WRITE = """
import sys
from pathlib import Path
from multifield.maps import Preprocessing, open_maps
from multifield.maps.preprocess import PreprocessingConfig

def memory(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))

config = PreprocessingConfig(smoothing_width=0, remove_monopole=False, compact=True, n_threads=1)
before = memory("VmRSS")
Preprocessing(open_maps(sys.argv[1]), "Mstar", config, "abc").write(Path(sys.argv[2]))
print(memory("VmHWM") - before)
"""


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="memory is read from Linux' /proc"
)
def test_memory_does_not_grow_with_the_file(tmp_path):
    """1,950 maps are 511 MB, and 256 MB in 16 bits; a block and what is made of it 60 MB."""
    path, shape = tmp_path / "raw.npy", (1950, 256, 256)
    with path.open("wb") as file:
        write_header(file, shape)
        file.write(
            np.arange(256**2, dtype=np.float32).data
        )  # one map that varies; the rest is sparse
        file.truncate(128 + 4 * int(np.prod(shape)))
    done = subprocess.run(
        [sys.executable, "-c", WRITE, str(path), str(tmp_path / "log.npy")],
        capture_output=True,
        text=True,
        timeout=tolerances.TIME_LIMIT,
        check=True,
    )
    assert float(done.stdout.split()[-1]) < 150  # [MB]
    assert open_log_maps(tmp_path / "log.npy").maps.shape == shape


# ---- to a network ----


@pytest.fixture
def load_suite(tmp_path, rng):
    """Four simulations of which one validates and one tests, kept in either way."""
    raw = np.exp(rng.normal(25, 1.5, (60, 16, 16))).astype(np.float32)
    theta = np.round(make_theta(4), 5)
    write_theta(tmp_path / "params_LH_SIMBA.txt", theta)
    save_maps(tmp_path / "Maps_Mtot_SIMBA_LH_z=0.00.npy", raw)
    maps = {"Mtot": open_maps(tmp_path / "Maps_Mtot_SIMBA_LH_z=0.00.npy")}
    manifest = verify_suite("SIMBA", "LH", maps, theta, partial=True)
    split = split_simulations(4, 1, n_valid=1, n_test=1)

    def load(settings) -> SplitLoaders:
        path = tmp_path / f"log_{settings.compact}.npy"
        Preprocessing(maps["Mtot"], "Mtot", settings, manifest.checksums(("Mtot",))["Mtot"]).write(
            path
        )
        log_maps = {"Mtot": open_log_maps(path)}
        normalization = fit_normalization({"Mtot": log_maps["Mtot"].moments}, split, "training")
        return load_splits(
            log_maps,
            theta,
            split,
            normalization,
            manifest,
            split_config=SplitConfig(seed=1, n_valid=1, n_test=1),
            normalization_config=NormalizationConfig(over="training"),
            batch_size=8,
            prefetch=2,
        )

    return load


def test_a_network_trains_and_predicts_through_them(load_suite):
    data = load_suite(COMPACT)
    hyperparameters = Hyperparameters(lr=1e-2, wd=1e-3, dr=0.2, hidden=1)
    trained = train_network(data, hyperparameters, config(epochs=2))
    network = O3Err(1, 0.2, 1, 16)
    network.load_state_dict(trained.state)
    found = predict(network, data.test, range(8), device="cpu")
    exact = predict(network, load_suite(PLAIN).test, range(8), device="cpu")
    assert not np.array_equal(found.mean[:, :2], exact.mean[:, :2])
    # the inputs are off by 2^-12 of their std or so, and the network is smooth
    moved = np.abs(found.mean - exact.mean)[:, :2].max() / np.ptp(exact.theta[:, :2])
    assert moved < 1e-2


def test_a_study_of_float32_maps_is_not_continued_with_them(load_suite):
    causes = [load_suite(settings).causes["log_maps.Mtot.kept_as"] for settings in (PLAIN, COMPACT)]
    assert causes == ["float32", "float16"]
