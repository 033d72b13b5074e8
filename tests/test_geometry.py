"""Maps that are not whole periodic maps of the training's pixels, from training to prediction."""

import numpy as np
import pytest

import multifield as mf

SMALL = {"environment": "test", "map_size": 32, "smoothing_width": 1}
QUICK = {"epochs": 1, "hidden": 2, "batch_size": 32, "device": "cpu", "n_threads": 1}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tmp_path_factory.mktemp("geometry") / "data"


@pytest.fixture(scope="module")
def suite(data) -> mf.Suite:
    """Cut-outs of 16 pixels and 12.5 Mpc/h."""
    return mf.load_suite("MockNbody", "Mtot", data=data, cutout=16, **SMALL)


@pytest.fixture(scope="module")
def network(suite) -> mf.FittedNetwork:
    return mf.train(suite, **QUICK)


def test_a_network_of_cut_outs_states_their_box(suite, network):
    assert (suite.map_size, suite.box) == (16, 12.5)
    card = network.card
    assert (card.map_size, card.box, card.periodic) == (16, 12.5, False)
    assert card.label.endswith("_smoothing_1_cutout_16")


def test_cut_outs_are_inferred_as_the_test_maps(suite, network):
    expected = network.infer(suite.test, orientations=1)
    cutouts = np.array(suite.maps["Mtot"][suite.test.index, :16, :16])
    found = network.infer(cutouts, orientations=1)
    np.testing.assert_array_equal(found.mean, expected.mean)


def test_whole_maps_and_cut_outs_have_files_of_their_own(suite, data):
    whole = mf.load_suite("MockNbody", "Mtot", data=data, **SMALL)
    names = {path.name for path in (data / "05_model_input/MockNbody").glob("log_*.npy")}
    assert {name.partition("smoothing_1")[2] for name in names} == {".npy", "_cutout_16.npy"}
    np.testing.assert_array_equal(whole.split.train, suite.split.train)
    assert (whole.map_size, whole.box) == (32, 25.0)


def test_a_suite_with_other_cut_outs_is_refused(data, network):
    whole = mf.load_suite("MockNbody", "Mtot", data=data, environment="test", smoothing_width=1)
    with pytest.raises(ValueError, match=r"Expected box 12\.5, as in the training, got 25"):
        network.infer(whole.test)
