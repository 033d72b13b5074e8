from pathlib import Path

import numpy as np
import pytest

from multifield.config.prediction import maps_name
from multifield.data import save_maps
from multifield.prediction import open_new_maps

FIELDS = ("Mgas", "T")


@pytest.fixture
def maps(rng):
    return rng.random((7, 16, 16), dtype=np.float32)


def test_a_file_of_any_number_of_maps(tmp_path, maps):
    save_maps(tmp_path / "a.npy", maps)
    found = open_new_maps(str(tmp_path / "a.npy"), ("T",))
    np.testing.assert_array_equal(found["T"], maps)
    assert isinstance(found["T"], np.memmap)


def test_a_single_map(tmp_path, maps):
    np.save(tmp_path / "a.npy", maps[0])
    found = open_new_maps(str(tmp_path / "a.npy"), ("T",))["T"]
    np.testing.assert_array_equal(found, maps[:1])
    assert found.filename == tmp_path / "a.npy"  # which messages name


def test_one_file_per_field_in_the_order_of_the_networks(tmp_path, maps):
    for name in "ab":
        save_maps(tmp_path / f"{name}.npy", maps)
    asked = {"T": str(tmp_path / "b.npy"), "Mgas": str(tmp_path / "a.npy")}
    found = open_new_maps(asked, FIELDS)
    assert [found[field].filename.name for field in found] == ["a.npy", "b.npy"]


@pytest.mark.parametrize(
    "name", ["Maps_{}_SIMBA_CV_z=0.00.npy", "Images_{}_A_LH_z=0.0.npy", "{}.npy"]
)
def test_a_folder_of_files_named_after_their_fields(tmp_path, maps, name):
    for field in (*FIELDS, "Mtot"):
        save_maps(tmp_path / name.format(field), maps)
    found = open_new_maps(str(tmp_path), FIELDS)
    assert [found[field].filename.name for field in FIELDS] == [name.format(f) for f in FIELDS]


def test_a_folder_with_two_files_of_a_field_is_refused(tmp_path, maps):
    for name in ("Maps_T_SIMBA_LH_z=0.00.npy", "Maps_T_SIMBA_CV_z=0.00.npy"):
        save_maps(tmp_path / name, maps)
    with pytest.raises(ValueError, match=r"one file of T, got .*_CV_.*_LH_.*\. .*maps\.T="):
        open_new_maps(str(tmp_path), ("T",))


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        (None, FileNotFoundError, "maps: Expected the path of new maps, got none. Use --params"),
        ("", ValueError, "one file for each of Mgas, T, got only"),
        ({"Mgas": "a"}, ValueError, "one file for each of Mgas, T, got Mgas"),
        ({"Mgas": "a", "T": "b", "HI": "c"}, ValueError, "got Mgas, T, HI"),
        (
            {"Mgas": "nowhere.npy", "T": "b"},
            FileNotFoundError,
            "nowhere.npy: Expected a file of maps",
        ),
    ],
)
def test_other_fields_and_missing_files_are_refused(tmp_path, asked, error, message):
    asked = str(tmp_path / "a.npy") if asked == "" else asked
    with pytest.raises(error, match=message):
        open_new_maps(asked, FIELDS)


def test_a_folder_that_lacks_a_field_is_refused(tmp_path, maps):
    save_maps(tmp_path / "T.npy", maps)
    with pytest.raises(FileNotFoundError, match=r"Expected a file named Maps_Mgas_\*\.npy or"):
        open_new_maps(str(tmp_path), FIELDS)


@pytest.mark.parametrize(
    ("array", "error", "message"),
    [
        (np.ones((3, 16, 16)), TypeError, "Expected float32 maps, got <f8"),
        (
            np.ones((3, 16, 8), np.float32),
            ValueError,
            r"Expected shape \(N, L, L\), got \(3, 16, 8\)",
        ),
        (np.ones((0, 16, 16), np.float32), ValueError, "at least one map"),
        (np.ones((3, 16, 16), ">f4"), TypeError, "Expected float32 maps, got >f4"),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path, array, error, message):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(error, match=r"a\.npy: .*" + message):
        open_new_maps(str(tmp_path / "a.npy"), ("T",))


@pytest.mark.parametrize(("shape", "found"), [((5, 16, 16), "5 of 16"), ((7, 8, 8), "7 of 8")])
def test_fields_of_another_shape_are_refused(tmp_path, maps, shape, found):
    save_maps(tmp_path / "Mgas.npy", maps)
    save_maps(tmp_path / "T.npy", np.ones(shape, np.float32))
    message = r"T\.npy: Expected 7 maps of 16 pixels per side, as in .*Mgas\.npy, got " + found
    with pytest.raises(ValueError, match=message):
        open_new_maps(str(tmp_path), FIELDS)


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("/data/Maps_T_SIMBA_LH_z=0.00.npy", "Maps_T_SIMBA_LH_z=0.00"),
        ("/data/mine/", "mine"),
        ({"T": "/a/t.npy", "Mgas": "/b/gas.npy"}, "t"),
    ],
)
def test_predictions_are_named_after_the_maps(asked, name):
    found, _, checksum = maps_name(asked).rpartition("_")
    assert found == name
    assert len(checksum) == 6


def test_files_of_one_name_in_two_folders_have_two_names():
    assert maps_name("/a/maps.npy") != maps_name("/b/maps.npy")
    assert maps_name("~/maps.npy") == maps_name(str(Path.home() / "maps.npy"))
