import shutil
from dataclasses import replace

import numpy as np
import pytest

from multifield.config.data import SplitConfig
from multifield.config.ingest import SourceConfig
from multifield.maps import log_transform
from multifield.studies.robustness.folders import SuiteFolders
from multifield.studies.robustness.suite_maps import (
    bring_suites,
    check_equal_sizes,
    find_pixels,
    scale_mock,
)
from tests.helpers.projects import load_parameters
from tests.unit.studies.robustness.examples import RAW, make_suite_maps, method, robustness

SPLIT = SplitConfig(seed=1, n_valid=1, n_test=1)


@pytest.fixture
def folders(tmp_path):
    return SuiteFolders(raw=tmp_path / "raw", log_maps=tmp_path / "log")


def source(**changes) -> SourceConfig:
    mock = {
        "n_simulations": 3,
        "map_size": 16,
        "lattice": 16,
        "refine": 1,
        "seed": 1,
        "n_threads": 1,
    }
    parameters = load_parameters("test")["source"]
    return SourceConfig(**(parameters | {"mock": mock} | changes))


def bring(folders, preprocessing=RAW, asked=None, **changes):
    config = robustness(**changes)
    return bring_suites(config, "LH", asked or source(), preprocessing, SPLIT, folders)


def test_every_suite_has_every_field_at_every_smoothing(folders):
    suites = bring(folders, fields=("T", "Mtot_T"), methods=(method(smoothing_widths=(1.0,)),))
    assert tuple(suites) == ("MockTNG", "MockSIMBA", "MockAstrid")
    for suite in suites.values():
        assert set(suite.log_maps) == {(f, w) for f in ("T", "Mtot") for w in (0.0, 1.0)}


def test_log_maps_are_those_of_the_raw_file(folders):
    suite = bring(folders)["MockSIMBA"]
    raw = np.load(folders.raw / "MockSIMBA" / "Maps_T_MockSIMBA_LH_z=0.00.npy")
    np.testing.assert_array_equal(suite.log_maps["T", 0.0].maps, log_transform(raw, "T"))


def test_the_same_numbers_are_held_out_in_each(folders):
    suites = bring(folders)
    assert len({suite.split for suite in suites.values()}) == 1


def test_log_maps_that_are_there_are_used(folders):
    bring(folders)
    path = folders.log_maps / "MockTNG" / "log_Maps_T_MockTNG_LH_z=0.00.npy"
    before = path.stat().st_mtime_ns
    bring(folders)
    assert path.stat().st_mtime_ns == before


def test_log_maps_of_other_raw_maps_are_made_anew(folders):
    first = bring(folders)["MockTNG"].log_maps["T", 0.0].maps.copy()
    mock = replace(source().mock, seed=2)
    again = bring(folders, asked=source(mock=mock))["MockTNG"].log_maps["T", 0.0].maps
    assert not np.array_equal(first, again)


def publish(folders, folder):
    """Copy the files of a mock suite as those of the published suite that gives the folder its name."""
    folder.mkdir(parents=True)
    mock = folders.raw / f"Mock{folder.name.removeprefix('Illustris')}"
    for path in mock.iterdir():
        shutil.copy(path, folder / path.name.replace(mock.name, folder.name))


def test_published_files_are_linked_to(folders, tmp_path):
    """Make a folder of published files from the files of mock suites."""
    bring(folders)
    published = SuiteFolders(raw=tmp_path / "links", log_maps=tmp_path / "log2")
    for suite in ("IllustrisTNG", "SIMBA"):
        publish(folders, tmp_path / "cmd" / suite)
    asked = source(kind="folder", folder=str(tmp_path / "cmd"), partial=True)
    suites = bring(published, asked=asked, suites=("IllustrisTNG", "SIMBA"), held_back="SIMBA")
    assert (published.raw / "SIMBA" / "Maps_T_SIMBA_LH_z=0.00.npy").is_symlink()
    assert suites["SIMBA"].theta.shape == (3, 6)


BOXES = {"suites": ("MockTNG", "MockTNG50"), "held_back": "MockTNG50"}
CUTOUT = replace(RAW, cutout=16)


def of_size(map_size):
    return source(mock=replace(source().mock, map_size=map_size))


def test_suites_of_other_boxes_are_brought_to_the_same_cutouts(folders):
    """MockTNG50 has 32 pixels of 1.6 Mpc/h, as large as the 16 of MockTNG."""
    suites = bring(folders, CUTOUT, **BOXES)
    for (name, suite), n_maps, size in zip(suites.items(), (15, 30), (16, 32), strict=True):
        raw = np.load(folders.raw / name / f"Maps_T_{name}_LH_z=0.00.npy")
        assert raw.shape == (3 * n_maps, size, size)
        log_maps = suite.log_maps["T", 0.0]
        np.testing.assert_allclose(log_maps.maps, np.log10(raw[:, :16, :16]), rtol=1e-6)
        assert log_maps.provenance["cutout"].startswith("16 of ")
        assert suite.maps_per_simulation == n_maps
        assert suite.space.names == ("Omega_m", "sigma_8")


def test_cutouts_fit_into_the_smallest_box(folders):
    with pytest.raises(ValueError, match=r"cutout: Expected at most 16 pixels.*got 32"):
        bring(folders, replace(RAW, cutout=32), **BOXES)


def test_maps_with_smaller_pixels_are_regridded_once(folders, tmp_path):
    """Published files of 32 and of 16 pixels."""
    for suite, size in (("SIMBA", 16), ("IllustrisTNG", 32)):
        bring(folders, asked=of_size(size))
        publish(folders, tmp_path / "cmd" / suite)
    options = {"suites": ("IllustrisTNG", "SIMBA"), "held_back": "SIMBA"}
    published = SuiteFolders(raw=tmp_path / "links", log_maps=tmp_path / "log2")
    asked = source(kind="folder", folder=str(tmp_path / "cmd"), partial=True)
    suites = bring(published, asked=asked, **options)
    fine = np.load(tmp_path / "cmd/IllustrisTNG/Maps_T_IllustrisTNG_LH_z=0.00.npy")
    expected = np.log10(fine.reshape(-1, 16, 2, 16, 2).mean(axis=(2, 4)))
    np.testing.assert_allclose(suites["IllustrisTNG"].log_maps["T", 0.0].maps, expected, rtol=1e-6)
    assert suites["SIMBA"].log_maps["T", 0.0].maps.shape == expected.shape
    path = published.raw / "IllustrisTNG/regridded_16/Maps_T_IllustrisTNG_LH_z=0.00.npy"
    before = path.stat().st_mtime_ns
    bring(published, asked=asked, **options)
    assert path.stat().st_mtime_ns == before
    np.save(tmp_path / "cmd/IllustrisTNG/Maps_T_IllustrisTNG_LH_z=0.00.npy", 2 * fine)
    bring(published, asked=asked, **options)
    assert path.stat().st_mtime_ns != before


def test_mock_maps_of_a_large_box_can_be_too_large():
    with pytest.raises(ValueError, match=r"source\.mock: .* 2 times .* got 512 and 32"):
        scale_mock(of_size(256), 2.0)
    published = replace(of_size(256), kind="folder")
    assert scale_mock(published, 2.0) is published


def test_pixels_are_the_largest_ones():
    boxes = {"CMD": 25.0, "large": 50.0}
    assert find_pixels(boxes, {"CMD": 256, "large": 512}) == {"CMD": 256, "large": 512}
    assert find_pixels(boxes, {"CMD": 256, "large": 256}) == {"CMD": 128, "large": 256}
    assert find_pixels(boxes, {"CMD": 64, "large": 512}) == {"CMD": 64, "large": 128}
    with pytest.raises(ValueError, match=r"whole numbers .*got 127\.5 pixels for CMD"):
        find_pixels(boxes, {"CMD": 256, "large": 255})


def test_suites_of_other_sizes_are_refused():
    """A simulation could be held out in one suite and used for training in another."""
    suites = {suite: make_suite_maps(suite, 0) for suite in ("MockTNG", "MockSIMBA")}
    suites["MockSIMBA"] = replace(suites["MockSIMBA"], theta=suites["MockSIMBA"].theta[1:])
    with pytest.raises(
        ValueError,
        match=r"simulations in each suite of set LH, got \{'MockTNG': 6, 'MockSIMBA': 5\}",
    ):
        check_equal_sizes(suites, robustness().selections("LH"))


def test_a_suite_can_have_a_set_of_its_own(folders):
    suites = bring(folders, suites=("MockTNG", "MockSB@SB14"), held_back="MockSB@SB14")
    assert tuple(suites) == ("MockTNG", "MockSB@SB14")
    raw = np.load(folders.raw / "MockSB" / "Maps_T_MockSB_SB14_z=0.00.npy")
    maps = suites["MockSB@SB14"].log_maps["T", 0.0].maps
    np.testing.assert_array_equal(maps, log_transform(raw, "T"))
    assert suites["MockSB@SB14"].space.names == ("Omega_m", "sigma_8")


def test_suites_of_other_sets_have_splits_of_their_own():
    suites = {name: make_suite_maps(name, 0) for name in ("MockTNG", "MockSB@SB14")}
    suites["MockTNG"] = replace(suites["MockTNG"], theta=suites["MockTNG"].theta[1:])
    config = robustness(suites=tuple(suites), held_back="MockTNG")
    check_equal_sizes(suites, config.selections("LH"))


def test_compact_log_maps_are_refused(folders):
    with pytest.raises(ValueError, match=r"preprocessing\.compact: Expected false"):
        bring(folders, replace(RAW, compact=True))
