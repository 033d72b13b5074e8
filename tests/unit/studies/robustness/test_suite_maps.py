import shutil
from dataclasses import replace

import numpy as np
import pytest

from multifield.config.data import SplitConfig
from multifield.config.ingest import SourceConfig
from multifield.maps import log_transform
from multifield.studies.robustness.folders import SuiteFolders
from multifield.studies.robustness.suite_maps import bring_suites, check_equal_sizes
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


def test_published_files_are_linked_to(folders, tmp_path):
    """Make a folder of published files from the files of mock suites."""
    bring(folders)
    published = SuiteFolders(raw=tmp_path / "links", log_maps=tmp_path / "log2")
    for suite in ("IllustrisTNG", "SIMBA"):
        folder = tmp_path / "cmd" / suite
        folder.mkdir(parents=True)
        mock = folders.raw / f"Mock{suite.removeprefix('Illustris')}"
        for path in mock.iterdir():
            shutil.copy(path, folder / path.name.replace(mock.name, suite))
    asked = source(kind="folder", folder=str(tmp_path / "cmd"), partial=True)
    suites = bring(published, asked=asked, suites=("IllustrisTNG", "SIMBA"), held_back="SIMBA")
    assert (published.raw / "SIMBA" / "Maps_T_SIMBA_LH_z=0.00.npy").is_symlink()
    assert suites["SIMBA"].theta.shape == (3, 6)


def test_suites_of_other_sizes_are_refused():
    """A simulation could be held out in one suite and used for training in another."""
    suites = {suite: make_suite_maps(suite, 0) for suite in ("MockTNG", "MockSIMBA")}
    suites["MockSIMBA"] = replace(suites["MockSIMBA"], theta=suites["MockSIMBA"].theta[1:])
    with pytest.raises(
        ValueError, match=r"same number of simulations .* got \{'MockTNG': 6, 'MockSIMBA': 5\}"
    ):
        check_equal_sizes(suites)


def test_compact_log_maps_are_refused(folders):
    with pytest.raises(ValueError, match=r"preprocessing\.compact: Expected false"):
        bring(folders, replace(RAW, compact=True))
