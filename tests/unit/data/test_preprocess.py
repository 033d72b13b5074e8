import dataclasses
import errno
import os
import time

import mapkernels
import numpy as np
import pytest
from scipy import ndimage

from multifield import camels
from multifield.config.data import NormalizationConfig, SplitConfig
from multifield.core.checksums import sha256
from multifield.data import preprocess
from multifield.data.fills import find_floors
from multifield.data.manifest import theta_sha256, verify_suite
from multifield.data.map_files import save_maps, write_theta
from multifield.data.normalization import fit_normalization
from multifield.data.preprocess import Preprocessing, check_current, moments_of_log_maps
from multifield.data.split_loaders import load_splits
from multifield.maps.instrument import observe
from multifield.maps.memory import open_maps
from multifield.maps.splits import Split, maps_of, split_simulations
from tests.helpers import tolerances
from tests.helpers.preprocessing import PLAIN

SMOOTH = dataclasses.replace(PLAIN, smoothing_width=2, remove_monopole=True, n_threads=2)


def preprocessed(raw, path, config, field="Mtot"):
    Preprocessing(raw, field, config, "abc").write(path)
    return preprocess.open_log_maps(path)


def test_the_benchmark_order(tmp_path, lognormal_maps):
    log_maps = preprocessed(lognormal_maps, tmp_path / "log.npy", SMOOTH)
    for raw, ours in zip(lognormal_maps, log_maps.maps, strict=True):
        expected = np.log10(ndimage.gaussian_filter(raw.astype(np.float64), 2, mode="wrap"))
        expected -= expected.mean()
        np.testing.assert_allclose(ours, expected, atol=tolerances.LOG_MAP_ATOL)


def test_cut_outs_are_mirrored_at_their_edges(tmp_path, lognormal_maps):
    config = dataclasses.replace(SMOOTH, cutout=13)
    log_maps = preprocessed(lognormal_maps, tmp_path / "log.npy", config)
    assert log_maps.provenance["cutout"] == "13 of 16 pixels"
    assert log_maps.share == 13 / 16
    for raw, ours in zip(lognormal_maps, log_maps.maps, strict=True):
        corner = raw[:13, :13].astype(np.float64)
        expected = np.log10(ndimage.gaussian_filter(corner, 2, mode="reflect"))
        np.testing.assert_allclose(ours, expected - expected.mean(), atol=tolerances.LOG_MAP_ATOL)


def test_cut_outs_in_16_bits(tmp_path, lognormal_maps):
    config = dataclasses.replace(PLAIN, cutout=16, compact=True)
    log_maps = preprocessed(lognormal_maps, tmp_path / "log.npy", config)
    expected = np.log10(lognormal_maps[:, :16, :16].astype(np.float64))
    np.testing.assert_allclose(log_maps.read(slice(None)), expected, atol=5e-3)


def test_a_cut_out_larger_than_the_map_is_refused(tmp_path, lognormal_maps):
    config = dataclasses.replace(PLAIN, cutout=4096)
    with pytest.raises(ValueError, match=r"preprocessing\.cutout: Expected at most .* got 4096"):
        preprocessed(lognormal_maps, tmp_path / "log.npy", config)


def test_a_bad_pixel_of_a_cut_out_is_named(tmp_path, lognormal_maps):
    maps = lognormal_maps.copy()
    maps[2, 3, 5] = 0
    config = dataclasses.replace(PLAIN, cutout=16)
    with pytest.raises(
        ValueError, match=r"Mtot: map 2, .*pixel \(3, 5\): Expected a finite value > 0"
    ):
        preprocessed(maps, tmp_path / "log.npy", config)
    maps[2, 3, 5] = np.nan
    with pytest.raises(ValueError, match=r"Mtot: map 2, .*pixel \(3, 5\): .* got nan"):
        preprocessed(maps, tmp_path / "log.npy", dataclasses.replace(config, smoothing_width=1))


def test_masked_pixels_do_not_matter(tmp_path, lognormal_maps, rng):
    mask = rng.random((12, 12)) < 0.3
    np.save(tmp_path / "mask.npy", mask)
    config = dataclasses.replace(SMOOTH, cutout=12, compact=True, mask=str(tmp_path / "mask.npy"))
    expected = preprocessed(lognormal_maps, tmp_path / "log.npy", config)
    changed = lognormal_maps.copy()
    changed[:, :12, :12][:, mask] = np.nan
    found = preprocessed(changed, tmp_path / "changed.npy", config)
    np.testing.assert_array_equal(found.maps, expected.maps)
    np.testing.assert_array_equal(found.moments, expected.moments)
    assert found.provenance["mask"] == sha256(tmp_path / "mask.npy")
    assert config.suffix == f"_cutout_12_mask_{found.provenance['mask'][:6]}"


def test_noise_and_beam_are_of_the_whole_map(tmp_path, lognormal_maps, monkeypatch):
    config = dataclasses.replace(PLAIN, cutout=8, noise=0.2, beam=1.5)
    found = preprocessed(lognormal_maps, tmp_path / "log.npy", config)
    observed = observe(lognormal_maps, range(len(lognormal_maps)), "Mtot", noise=0.2, beam=1.5)
    np.testing.assert_allclose(
        found.maps, np.log10(observed[:, :8, :8]), atol=tolerances.LOG_MAP_ATOL
    )
    assert config.suffix == "_cutout_8_noise_0.2_beam_1.5"
    assert (found.provenance["noise"], found.provenance["beam"]) == ("0.2", "1.5")
    monkeypatch.setattr(preprocess, "BLOCK_BYTES", 1)
    again = preprocessed(lognormal_maps, tmp_path / "again.npy", config)
    np.testing.assert_array_equal(again.maps, found.maps)
    np.testing.assert_array_equal(
        moments_of_log_maps(lognormal_maps, "Mtot", config), found.moments
    )


def test_a_beam_needs_the_sky_behind_a_mask(tmp_path, lognormal_maps):
    np.save(tmp_path / "mask.npy", np.eye(16, dtype=bool))
    config = dataclasses.replace(PLAIN, mask=str(tmp_path / "mask.npy"), beam=1)
    maps = lognormal_maps.copy()
    maps[1, 4, 4] = np.nan
    with pytest.raises(ValueError, match=r"Mtot: map 1, .*pixel \(4, 4\): .* got nan"):
        preprocessed(maps, tmp_path / "log.npy", config)


def test_masked_pixels_have_no_noise(tmp_path, lognormal_maps):
    mask = np.eye(16, dtype=bool)
    np.save(tmp_path / "mask.npy", mask)
    config = dataclasses.replace(PLAIN, mask=str(tmp_path / "mask.npy"), noise=0.2)
    for one in preprocessed(lognormal_maps, tmp_path / "log.npy", config).maps:
        assert np.ptp(one[mask]) == 0


def test_zeros_get_the_least_pixel_of_the_training_maps(tmp_path, rng):
    raw = rng.uniform(1, 9, (30, 8, 8)).astype(np.float32)
    raw[17, 2, 3] = raw[4, 1, 1] = 0
    raw[20, 5, 5] = 0.5
    raw[3, 5, 5] = 0.25  # of simulation 0
    split = Split(train=(1,), valid=(0,), test=(), seed=1)
    config = dataclasses.replace(PLAIN, zeros="floor")
    assert find_floors({"HI": raw, "Mstar": raw}, split, config) == {"HI": 0.5}
    assert find_floors({"HI": raw}, split, PLAIN) == {}
    Preprocessing(raw, "HI", config, "abc", floor=0.5).write(tmp_path / "log.npy")
    log_maps = preprocess.open_log_maps(tmp_path / "log.npy")
    assert log_maps.floor == 0.5
    expected = np.log10(np.where(raw == 0, 0.5, raw))
    np.testing.assert_allclose(log_maps.maps, expected, atol=tolerances.LOG_MAP_ATOL)
    assert config.suffix == "_floor"


def test_a_field_of_zeros_has_no_floor():
    split = Split(train=(0,), valid=(1,), test=(), seed=1)
    with pytest.raises(ValueError, match=r"zeros: Expected a positive pixel .* maps of HI"):
        find_floors(
            {"HI": np.zeros((30, 8, 8), np.float32)},
            split,
            dataclasses.replace(PLAIN, zeros="floor"),
        )


def test_blocks_do_not_matter(tmp_path, lognormal_maps, monkeypatch):
    whole = preprocessed(lognormal_maps, tmp_path / "whole.npy", SMOOTH)
    monkeypatch.setattr(preprocess, "BLOCK_BYTES", 3 * lognormal_maps[0].nbytes)
    cut = preprocessed(lognormal_maps, tmp_path / "cut.npy", SMOOTH)
    np.testing.assert_array_equal(whole.maps, cut.maps)
    np.testing.assert_array_equal(whole.moments, cut.moments)


@pytest.mark.parametrize("config", [PLAIN, SMOOTH])
def test_moments_without_log_maps(tmp_path, lognormal_maps, monkeypatch, config):
    monkeypatch.setattr(preprocess, "BLOCK_BYTES", 7 * lognormal_maps[0].nbytes)
    save_maps(tmp_path / "raw.npy", lognormal_maps)
    raw = open_maps(tmp_path / "raw.npy")
    np.testing.assert_array_equal(
        moments_of_log_maps(raw, "Mtot", config),
        preprocessed(raw, tmp_path / "log.npy", config).moments,
    )


@pytest.mark.parametrize("n_written", [0, 2])
def test_a_full_disk_leaves_nothing(tmp_path, lognormal_maps, monkeypatch, n_written):
    blocks = []

    def write_block(file, block, offset):
        blocks.append(offset)
        if len(blocks) > n_written:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(preprocess, "BLOCK_BYTES", 3 * lognormal_maps[0].nbytes)
    monkeypatch.setattr(preprocess, "_write_block", write_block)
    with pytest.raises(OSError, match="No space left"):
        Preprocessing(lognormal_maps, "Mtot", PLAIN, "abc").write(tmp_path / "out" / "log.npy")
    assert not list((tmp_path / "out").iterdir())


def test_a_system_without_pwrite_gets_the_same_file(tmp_path, lognormal_maps, monkeypatch):
    monkeypatch.setattr(preprocess, "BLOCK_BYTES", 3 * lognormal_maps[0].nbytes)
    preprocessed(lognormal_maps, tmp_path / "posix.npy", SMOOTH)
    monkeypatch.delattr("os.pwrite")
    preprocessed(lognormal_maps, tmp_path / "windows.npy", SMOOTH)
    assert (tmp_path / "windows.npy").read_bytes() == (tmp_path / "posix.npy").read_bytes()


def test_a_slow_disk_gets_every_block_whole(tmp_path, lognormal_maps, monkeypatch):
    """A buffer must not be used again while it is written."""
    write_block = preprocess._write_block

    def write_slowly(file, block, offset):
        time.sleep(0.001 * (offset // block.nbytes % 7))
        write_block(file, block, offset)

    whole = preprocessed(lognormal_maps, tmp_path / "whole.npy", PLAIN)
    monkeypatch.setattr(preprocess, "BLOCK_BYTES", lognormal_maps[0].nbytes)
    monkeypatch.setattr(preprocess, "FLUSH_BYTES", 5 * lognormal_maps[0].nbytes)
    monkeypatch.setattr(preprocess, "_write_block", write_slowly)
    config = dataclasses.replace(PLAIN, n_threads=6)
    slow = preprocessed(lognormal_maps, tmp_path / "slow.npy", config)
    np.testing.assert_array_equal(slow.maps, whole.maps)


def test_the_first_of_two_bad_pixels_is_named(tmp_path, lognormal_maps, monkeypatch):
    monkeypatch.setattr(preprocess, "BLOCK_BYTES", lognormal_maps[0].nbytes)
    lognormal_maps[[11, 12, 13, 29], 2, 2] = np.nan
    for _ in range(20):
        with pytest.raises(ValueError, match="map 11, "):
            Preprocessing(lognormal_maps, "Mtot", SMOOTH, "abc").write(tmp_path / "log.npy")


@pytest.mark.parametrize("instructions", mapkernels.available_instructions())
def test_log_maps_of_another_machine(tmp_path, lognormal_maps, instructions):
    best = mapkernels.instructions()
    mapkernels.set_instructions(instructions)
    preprocessed(lognormal_maps, tmp_path / "log.npy", SMOOTH)
    mapkernels.set_instructions(best)
    preprocess.open_log_maps(tmp_path / "log.npy")


def test_mstar_keeps_its_zeros(tmp_path, lognormal_maps):
    lognormal_maps[lognormal_maps < np.median(lognormal_maps)] = 0
    log_maps = preprocessed(lognormal_maps, tmp_path / "log.npy", PLAIN, field="Mstar")
    assert (log_maps.maps[lognormal_maps == 0] == 0).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0, 0.0])
def test_a_bad_pixel_is_named_and_nothing_is_left(tmp_path, lognormal_maps, bad):
    lognormal_maps[17, 3, 5] = bad
    save_maps(tmp_path / "Maps_Mtot_SIMBA_LH_z=0.00.npy", lognormal_maps)
    raw = open_maps(tmp_path / "Maps_Mtot_SIMBA_LH_z=0.00.npy")
    (tmp_path / "out").mkdir()
    with pytest.raises(ValueError, match=r"Maps_Mtot_SIMBA.*map 17.*\(3, 5\).*got (nan|inf|-1|0)"):
        Preprocessing(raw, "Mtot", PLAIN, "abc").write(tmp_path / "out" / "log.npy")
    assert not list((tmp_path / "out").iterdir())


def test_normalization_of_the_training_simulations_alone(tmp_path, lognormal_maps):
    log_maps = preprocessed(lognormal_maps, tmp_path / "log.npy", PLAIN)
    split = Split(seed=1, train=(1,), valid=(0,), test=())
    chosen = log_maps.maps[maps_of((1,))].astype(np.float64)
    strict = fit_normalization({"Mtot": log_maps.moments}, split, "training")
    assert strict.mean[0] == pytest.approx(chosen.mean(), rel=tolerances.MOMENTS_RTOL)
    assert strict.std[0] == pytest.approx(chosen.std(), rel=tolerances.MOMENTS_RTOL)
    published = fit_normalization({"Mtot": log_maps.moments}, split, "all")
    everything = log_maps.maps.astype(np.float64)
    assert published.mean[0] == pytest.approx(everything.mean(), rel=tolerances.MOMENTS_RTOL)
    assert published.std[0] == pytest.approx(everything.std(), rel=tolerances.MOMENTS_RTOL)


def test_maps_all_alike_cannot_be_normalized(tmp_path):
    flat = np.full((15, 8, 8), 10, np.float32)
    log_maps = preprocessed(flat, tmp_path / "log.npy", PLAIN)
    with pytest.raises(ValueError, match="Mtot: Expected log maps that vary"):
        fit_normalization(
            {"Mtot": log_maps.moments}, Split(seed=1, train=(0,), valid=(), test=()), "all"
        )


def test_stale_log_maps_are_refused(tmp_path, lognormal_maps):
    log_maps = {"Mtot": preprocessed(lognormal_maps, tmp_path / "log.npy", PLAIN)}
    check_current(log_maps, {"Mtot": "abc"})
    with pytest.raises(ValueError, match=r"SHA-256 def.*got those of abc.*--pipelines preprocess"):
        check_current(log_maps, {"Mtot": "def"})


def test_log_maps_without_moments_are_refused(tmp_path, lognormal_maps):
    path = tmp_path / "log.npy"
    preprocessed(lognormal_maps, path, PLAIN)
    preprocess.moments_path(path).unlink()
    with pytest.raises(FileNotFoundError, match=r"log\.moments\.npz"):
        preprocess.open_log_maps(path)


@pytest.fixture
def suite(tmp_path, lognormal_maps, rng):
    save_maps(tmp_path / "Maps_T_SIMBA_LH_z=0.00.npy", lognormal_maps)
    write_theta(tmp_path / "params_LH_SIMBA.txt", np.round(rng.uniform(0.5, 1, (2, 6)), 5))
    return tmp_path


def verify(folder, n_simulations=2):
    maps = {"T": open_maps(folder / "Maps_T_SIMBA_LH_z=0.00.npy")}
    return verify_suite("SIMBA", "LH", maps, theta_of(n_simulations), partial=True)


def theta_of(n_simulations):
    return np.tile([0.3, 0.8, 1.0, 1.0, 1.0, 1.0], (n_simulations, 1))


def test_manifest_records_what_is_there(suite, lognormal_maps):
    record = verify(suite).files["T"]
    assert record.size == lognormal_maps.nbytes + 128
    assert record.shape == lognormal_maps.shape
    assert (record.minimum, record.maximum) == (lognormal_maps.min(), lognormal_maps.max())
    assert len(record.sha256) == 64


def test_manifest_refuses_another_number_of_simulations(suite):
    with pytest.raises(ValueError, match=r"Maps_T_SIMBA_LH.*Expected 45 maps.*got 30"):
        verify(suite, n_simulations=3)


def test_a_set_is_whole_unless_said_otherwise(suite):
    maps = {"T": open_maps(suite / "Maps_T_SIMBA_LH_z=0.00.npy")}
    with pytest.raises(ValueError, match=r"SIMBA LH: Expected 1000 simulations, got 2\. .*partial"):
        verify_suite("SIMBA", "LH", maps, theta_of(2))


def test_a_table_in_another_order_of_columns_is_refused(suite):
    maps = {"T": open_maps(suite / "Maps_T_SIMBA_LH_z=0.00.npy")}
    theta = theta_of(2)
    theta[1, 4] = 3.5  # A_AGN1 where A_SN2 should be
    with pytest.raises(
        ValueError, match=r"row 1, A_SN2: Expected a value from 0\.5 to 2, got 3\.5"
    ):
        verify_suite("SIMBA", "LH", maps, theta, partial=True)


def test_unknown_parameters_are_not_inferred(inputs):
    log_maps, theta, split, normalization, manifest = inputs
    theta = theta.copy()
    theta[:, 2:] = np.nan
    of_28 = dataclasses.replace(manifest, theta_sha256=theta_sha256(theta))
    loaders = load_splits(log_maps, theta, split, normalization, of_28, **CONFIGS)
    assert loaders.inferred == (0, 1)


def test_manifest_names_a_field_never_ingested(suite):
    with pytest.raises(ValueError, match=r"Expected field HI, got T, theta. Run .*ingest"):
        verify(suite).checksums(("HI",))


def test_a_file_replaced_after_it_was_verified_is_refused(suite, lognormal_maps):
    manifest = verify(suite)
    maps = {"T": open_maps(suite / "Maps_T_SIMBA_LH_z=0.00.npy")}
    manifest.check_files(maps)
    save_maps(suite / "Maps_T_SIMBA_LH_z=0.00.npy", lognormal_maps[::-1].copy())
    with pytest.raises(ValueError, match=r"Maps_T_SIMBA.*--pipelines ingest"):
        manifest.check_files(maps)


def test_other_parameters_than_were_verified_are_refused(suite):
    manifest = verify(suite)
    manifest.check_theta(theta_of(2))
    with pytest.raises(ValueError, match=r"parameters of SIMBA LH.*--pipelines ingest"):
        manifest.check_theta(1.01 * theta_of(2))


def test_moments_of_other_maps_are_refused(tmp_path, lognormal_maps):
    path = tmp_path / "log.npy"
    preprocessed(lognormal_maps, path, PLAIN)
    save_maps(path, np.log10(lognormal_maps[::-1]))
    with pytest.raises(ValueError, match=r"log\.moments\.npz: Expected the moments of log\.npy"):
        preprocess.open_log_maps(path)


def test_a_bad_pixel_leaves_the_old_log_maps_usable(tmp_path, lognormal_maps):
    path = tmp_path / "log.npy"
    preprocessed(lognormal_maps, path, PLAIN)
    lognormal_maps[17, 3, 5] = np.nan
    with pytest.raises(ValueError, match="map 17"):
        Preprocessing(lognormal_maps, "Mtot", PLAIN, "abc").write(path)
    assert np.isfinite(preprocess.open_log_maps(path).maps).all()
    assert len(list(tmp_path.iterdir())) == 2


@pytest.fixture
def inputs(suite, lognormal_maps):
    """What `load_splits` takes, all of one piece: four simulations of 16 pixels."""
    maps = np.concatenate([lognormal_maps, 2 * lognormal_maps])
    theta = theta_of(4)
    save_maps(suite / "Maps_T_SIMBA_LH_z=0.00.npy", maps)
    raw = {"T": open_maps(suite / "Maps_T_SIMBA_LH_z=0.00.npy")}
    manifest = verify_suite("SIMBA", "LH", raw, theta, partial=True)
    path = suite / "log.npy"
    Preprocessing(raw["T"], "T", PLAIN, manifest.checksums(("T",))["T"]).write(path)
    log_maps = {"T": preprocess.open_log_maps(path)}
    split = split_simulations(4, 1, n_valid=1, n_test=1)
    normalization = fit_normalization({"T": log_maps["T"].moments}, split, "training")
    return log_maps, theta, split, normalization, manifest


CONFIGS = {
    "split_config": SplitConfig(seed=1, n_valid=1, n_test=1),
    "normalization_config": NormalizationConfig(over="training"),
    "batch_size": 8,
}


def test_load_splits_of_one_piece(inputs):
    loaders = load_splits(*inputs, **CONFIGS)
    assert (len(loaders.train), len(loaders.valid), len(loaders.test)) == (30, 15, 15)
    assert (loaders.channels, loaders.map_size, loaders.inferred) == (1, 16, tuple(range(6)))


def test_only_joint_heads_learn_logarithms(inputs):
    """SIMBA's feedback parameters are drawn in the logarithm."""
    published = load_splits(*inputs, **CONFIGS)
    assert published.space == camels.find_space("SIMBA", "LH")
    assert "parameters" not in published.causes
    joint = load_splits(*inputs, **CONFIGS, head="autoregressive")
    assert joint.causes == {**published.causes, "parameters": "learned as drawn"}
    np.testing.assert_array_equal(joint.train.theta, published.train.theta)
    geometric = joint.space.unscale(np.full((1, 6), 0.5))
    np.testing.assert_allclose(geometric, [[0.3, 0.8, 1, 1, 1, 1]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"split_config": SplitConfig(seed=2, n_valid=1, n_test=1)}, "split: Expected .* seed 2"),
        (
            {"split_config": SplitConfig(seed=1, n_valid=2, n_test=1)},
            "split: Expected .* n_valid 2 and",
        ),
        ({"normalization_config": NormalizationConfig(over="all")}, "normalization: Expected"),
    ],
)
def test_what_an_earlier_run_left_is_not_used_for_another(inputs, change, message):
    with pytest.raises(ValueError, match=message):
        load_splits(*inputs, **{**CONFIGS, **change})


def test_statistics_of_another_split_are_refused(inputs):
    log_maps, theta, _, normalization, manifest = inputs
    split = split_simulations(4, 4, n_valid=1, n_test=1)
    config = {**CONFIGS, "split_config": SplitConfig(seed=4, n_valid=1, n_test=1)}
    with pytest.raises(ValueError, match="normalization: Expected"):
        load_splits(log_maps, theta, split, normalization, manifest, **config)


@pytest.mark.parametrize("compact", [False, True])
def test_log_maps_changed_in_the_middle_are_refused(tmp_path, lognormal_maps, compact):
    """Size, date, moments and the first and last map are those that were written."""
    config, path = dataclasses.replace(PLAIN, compact=compact), tmp_path / "log.npy"
    preprocessed(lognormal_maps, path, config)
    preprocess.check_current({"Mtot": preprocess.open_log_maps(path)}, {"Mtot": "abc"})
    before = path.stat()
    content = bytearray(path.read_bytes())
    itemsize = 2 if compact else 4
    content[128 + itemsize * (7 * 16 * 16 + 5) + 1] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(ValueError, match=r"log\.npy: Map 7 has changed since it was written"):
        preprocess.check_current({"Mtot": preprocess.open_log_maps(path)}, {"Mtot": "abc"})


def test_raw_maps_changed_with_size_and_date_kept_are_refused(suite):
    manifest = verify(suite)
    path = suite / "Maps_T_SIMBA_LH_z=0.00.npy"
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[128 + 4 * (7 * 16 * 16 + 5)] ^= 1  # the last bit of a pixel
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    maps = {"T": open_maps(path)}
    manifest.check_files(maps)
    record = manifest.files["T"]
    changed = Preprocessing(maps["T"], "T", PLAIN, record.sha256, record.digest)
    with pytest.raises(ValueError, match=r"Maps_T_SIMBA.*Expected the maps that were verified"):
        changed.write(suite / "log.npy")
    assert not (suite / "log.npy").exists()


def test_moments_without_digests_are_refused(tmp_path, lognormal_maps):
    path = tmp_path / "log.npy"
    preprocessed(lognormal_maps, path, PLAIN)
    with np.load(preprocess.moments_path(path)) as archive:
        kept = {name: archive[name] for name in archive if name != "digests"}
    np.savez(preprocess.moments_path(path), **kept)
    with pytest.raises(ValueError, match="an older version"):
        preprocess.open_log_maps(path)
