import numpy as np
import pytest
from scipy import ndimage

from multifield.maps import preprocess
from multifield.maps.files import open_maps, save_maps, write_theta
from multifield.maps.manifest import verify_suite
from multifield.maps.normalization import fit_normalization
from multifield.maps.preprocess import Preprocessing, PreprocessingConfig, check_current
from multifield.maps.splits import Split, maps_of
from tests import tolerances

PLAIN = PreprocessingConfig(smoothing_width=0, remove_monopole=False, n_threads=1)
SMOOTH = PreprocessingConfig(smoothing_width=2, remove_monopole=True, n_threads=2)


def preprocessed(raw, path, config, field="Mtot"):
    Preprocessing(raw, field, config, "abc").write(path)
    return preprocess.open_log_maps(path)


def test_the_benchmark_order(tmp_path, lognormal_maps):
    log_maps = preprocessed(lognormal_maps, tmp_path / "log.npy", SMOOTH)
    for raw, ours in zip(lognormal_maps, log_maps.maps, strict=True):
        expected = np.log10(ndimage.gaussian_filter(raw.astype(np.float64), 2, mode="wrap"))
        expected -= expected.mean()
        np.testing.assert_allclose(ours, expected, atol=tolerances.LOG_MAP_ATOL)


def test_blocks_do_not_matter(tmp_path, lognormal_maps, monkeypatch):
    whole = preprocessed(lognormal_maps, tmp_path / "whole.npy", SMOOTH)
    monkeypatch.setattr("multifield.maps.files.BLOCK_BYTES", 3 * lognormal_maps[0].nbytes)
    cut = preprocessed(lognormal_maps, tmp_path / "cut.npy", SMOOTH)
    np.testing.assert_array_equal(whole.maps, cut.maps)
    np.testing.assert_array_equal(whole.moments, cut.moments)


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
    split = Split(train=(1,), valid=(0,), test=())
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
    with pytest.raises(ValueError, match="Mtot: expected log maps that vary"):
        fit_normalization({"Mtot": log_maps.moments}, Split(train=(0,), valid=(), test=()), "all")


def test_stale_log_maps_are_refused(tmp_path, lognormal_maps):
    log_maps = {"Mtot": preprocessed(lognormal_maps, tmp_path / "log.npy", PLAIN)}
    check_current(log_maps, {"Mtot": "abc"})
    with pytest.raises(ValueError, match=r"SHA-256 def.*got those of abc.*--pipeline preprocess"):
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
    return verify_suite("SIMBA", "LH", maps, np.full((n_simulations, 6), 0.5))


def test_manifest_records_what_is_there(suite, lognormal_maps):
    record = verify(suite).files["T"]
    assert record.size == lognormal_maps.nbytes + 128
    assert record.shape == lognormal_maps.shape
    assert (record.minimum, record.maximum) == (lognormal_maps.min(), lognormal_maps.max())
    assert len(record.sha256) == 64


def test_manifest_refuses_another_number_of_simulations(suite):
    with pytest.raises(ValueError, match=r"Maps_T_SIMBA_LH.*expected 45 maps.*got 30"):
        verify(suite, n_simulations=3)


def test_manifest_names_a_field_never_ingested(suite):
    with pytest.raises(ValueError, match=r"expected field HI, got T, theta; run .*ingest"):
        verify(suite).checksums(("HI",))


def test_manifest_keeps_other_fields_of_the_same_simulations(suite):
    manifest = verify(suite)
    other = type(manifest)(
        suite="SIMBA",
        sim_set="LH",
        files={"HI": manifest.files["T"], "theta": manifest.files["theta"]},
    )
    assert set(other.merged_over(manifest).files) == {"T", "HI", "theta"}
