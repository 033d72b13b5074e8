"""Sets of new maps against the validation maps, at several smoothing scales."""

import numpy as np
import pytest

import multifield as mf

SMALL = {
    "environment": "test",
    "map_size": 32,
    "n_simulations": 36,
    "n_valid": 12,
    "n_test": 12,
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tmp_path_factory.mktemp("comparison") / "data"


@pytest.fixture(scope="module")
def suite(data) -> mf.Suite:
    return mf.load_suite("MockNbody", "Mtot", data=data, **SMALL)


@pytest.fixture(scope="module")
def network(suite) -> mf.FittedNetwork:
    return mf.train(suite, epochs=1, hidden=2, batch_size=32, device="cpu", n_threads=1)


@pytest.fixture(scope="module")
def maps(suite) -> np.ndarray:
    return np.array(suite.maps["Mtot"][suite.test.index])


@pytest.fixture(scope="module")
def alike(suite, network):
    return network.compare(suite.test, suite.valid)


def test_test_maps_are_like_validation_maps(alike):
    assert alike["smoothing"].tolist() == [0, 1, 2, 4]  # up to an eighth of the map
    assert (alike["p_value"] > 0.05).all()
    assert (alike["simulations"] == 12).all()
    assert (alike["validation_simulations"] == 12).all()
    assert (alike["maps_per_simulation"] == 15).all()


def test_noise_of_pixels_differs_on_small_scales_only(suite, network, maps):
    noise = np.random.default_rng(1).normal(0, 0.7, maps.shape)
    noisy = (maps * np.exp(noise - 0.7**2 / 2)).astype(np.float32)
    found = network.compare(noisy, suite.valid).set_index("smoothing")["p_value"]
    assert found[0] == 0.001
    assert found[4] > 0.05


def test_a_beam_differs_on_small_scales_only(suite, maps):
    """Statistics read the logarithm of the power, also of scales that smoothing suppressed."""
    network = mf.train(suite, recipe="statistics", epochs=1, device="cpu", n_threads=1)
    blurred = mf.maps.gaussian_smooth(maps, 0.5)
    found, alike = (
        network.compare(each, suite.valid).set_index("smoothing")["mmd"] for each in (blurred, maps)
    )
    assert found[0] - alike[0] > 0.03
    assert abs(found[4] - alike[4]) < 0.004  # 0.008 without noise on smoothed maps


def test_a_part_and_its_raw_maps_give_the_same_table(suite, network, maps, alike):
    assert network.compare(maps, suite.valid).equals(alike)


def test_maps_of_different_simulations_are_compared_with_one_map_of_each(suite, network, maps):
    found = network.compare(maps[::15], suite.valid, maps_per_simulation=1)
    assert (found["maps_per_simulation"] == 1).all()
    assert (found["simulations"] == 12).all()
    assert (found["p_value"] > 0.05).all()


def test_maps_that_are_smoothed_already(data):
    smoothed = mf.load_suite("MockNbody", "Mtot", data=data, smoothing_width=2, **SMALL)
    network = mf.train(smoothed, epochs=1, hidden=2, batch_size=32, device="cpu", n_threads=1)
    raw = np.array(smoothed.maps["Mtot"][smoothed.test.index])
    expected = network.compare(raw, smoothed.valid)
    maps = mf.maps.gaussian_smooth(raw, 2.0)
    found = network.compare(maps, smoothed.valid, smoothed=True)
    np.testing.assert_allclose(found["mmd"], expected["mmd"], rtol=1e-2)  # the Gaussian is cut off
    twice = network.compare(maps, smoothed.valid)
    assert not np.allclose(twice["mmd"], expected["mmd"], rtol=1e-2)


def test_cut_outs_are_compared_with_cut_outs(data):
    cut = mf.load_suite("MockNbody", "Mtot", data=data, cutout=16, **SMALL)
    network = mf.train(cut, epochs=1, hidden=2, batch_size=32, device="cpu", n_threads=1)
    found = network.compare(cut.test, cut.valid)
    assert found["smoothing"].tolist() == [0, 1, 2]
    whole = np.array(cut.maps["Mtot"][cut.test.index])
    with pytest.raises(ValueError, match=r"Expected maps of 12.5 Mpc/h per side to compare"):
        network.compare(whole, cut.valid, box=25)


def test_other_references_and_numbers_of_maps_are_refused(suite, network, maps):
    with pytest.raises(ValueError, match=r"Expected suite.valid of MockNbody with the split"):
        network.compare(maps, suite.train)
    with pytest.raises(ValueError, match="Expected a divisor of the number of maps, 7, got 15"):
        network.compare(maps[:7], suite.valid)
    with pytest.raises(ValueError, match="map 3"):
        network.compare(np.where(np.arange(15)[:, None, None] == 3, -1, maps[:15]), suite.valid)
