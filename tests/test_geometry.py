"""Maps that are not whole periodic maps of the training's pixels, from training to prediction."""

import numpy as np
import pytest

import multifield as mf
from multifield.maps import gaussian_smooth
from multifield.maps.instrument import observe

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


def test_a_larger_map_is_the_mixture_of_its_tiles(suite, network):
    whole = np.array(suite.maps["Mtot"][suite.test.index[:7]])
    found = network.infer(whole, orientations=2, box=25)
    tiles = [
        network.infer(np.ascontiguousarray(whole[:, i : i + 16, j : j + 16]), orientations=2)
        for i in (0, 16)
        for j in (0, 16)
    ]
    means, stds = np.stack([each.mean for each in tiles]), np.stack([each.std for each in tiles])
    np.testing.assert_allclose(found.mean, means.mean(axis=0), rtol=1e-5)
    variance = (stds**2).mean(axis=0) + means.var(axis=0)
    np.testing.assert_allclose(found.std, np.sqrt(variance), rtol=1e-4)
    assert found.sample(5).shape == (7, 5, 2)
    table = found.table()
    assert (table["tiles"] == 4).all()
    assert (table["regridded_from"] == 0).all()
    distances = np.sort([each.table()["distance"] for each in tiles], axis=0)
    np.testing.assert_allclose(table["distance"], distances[1], rtol=1e-5)
    of_median = np.max([each.table()["p_value"] for each in tiles], axis=0)
    assert (table["p_value"] <= np.minimum(1, 2 * of_median)).all()


def test_blocks_of_large_maps_do_not_matter(suite, network, monkeypatch):
    whole = np.array(suite.maps["Mtot"][suite.test.index[:7]])
    expected = network.infer(whole, orientations=2, box=25)
    monkeypatch.setattr("multifield.prediction.predict.BLOCK_BYTES", 1)
    found = network.infer(np.concatenate([whole] * 5), orientations=2, box=25)
    np.testing.assert_allclose(found.mean, np.tile(expected.mean, (5, 1)), rtol=1e-5)
    assert found.table().index.tolist() == list(range(35))


@pytest.mark.parametrize("value", [0, np.nan, -1])
def test_a_bad_pixel_of_a_large_map_is_named(suite, network, value):
    whole = np.array(suite.maps["Mtot"][:2])
    whole[1, 20, 3] = value
    with pytest.raises(
        ValueError, match=r"Mtot: map 1, .*pixel \(20, 3\): Expected a finite value > 0"
    ):
        network.infer(whole, box=25)


def test_maps_with_smaller_pixels_are_regridded(suite, network):
    """Pixels that are split in four give the same map, and so the same posterior."""
    cutouts = np.array(suite.maps["Mtot"][suite.test.index[:5], :16, :16])
    finer = cutouts.repeat(2, axis=1).repeat(2, axis=2)
    found = network.infer(finer, orientations=1, box=12.5)
    np.testing.assert_allclose(found.mean, network.infer(cutouts, orientations=1).mean, rtol=1e-5)
    assert (found.table()["regridded_from"] == 32).all()


def test_maps_that_are_smoothed_already(data):
    whole = mf.load_suite("MockNbody", "Mtot", data=data, **SMALL)
    network = mf.train(whole, **QUICK)
    maps = np.array(whole.maps["Mtot"][whole.test.index[:5]])
    found = network.infer(gaussian_smooth(maps, 1.0), orientations=1, smoothed=True)
    np.testing.assert_array_equal(found.mean, network.infer(maps, orientations=1).mean)


# ---- masks ----


@pytest.fixture(scope="module")
def mask(data) -> np.ndarray:
    row, column = np.mgrid[:16, :16]
    mask = (row - 5) ** 2 + (column - 9) ** 2 < 20
    data.mkdir(exist_ok=True)
    np.save(data / "mask.npy", mask)
    return mask


@pytest.fixture(scope="module")
def masked_suite(data, mask) -> mf.Suite:
    return mf.load_suite(
        "MockNbody", "Mtot", data=data, cutout=16, mask=f"{data}/mask.npy", **SMALL
    )


@pytest.fixture(scope="module")
def masked_network(masked_suite) -> mf.FittedNetwork:
    return mf.train(masked_suite, **QUICK)


def test_masked_pixels_are_ignored(masked_suite, masked_network, mask, tmp_path):
    masked_network.save(tmp_path)
    network = mf.load_network(tmp_path)
    expected = network.infer(masked_suite.test, orientations=1)
    cutouts = np.array(masked_suite.maps["Mtot"][masked_suite.test.index, :16, :16])
    cutouts[:, mask] = np.nan
    np.testing.assert_array_equal(network.infer(cutouts, orientations=1).mean, expected.mean)


def test_nan_outside_the_mask_is_refused(masked_network, network, mask):
    maps = np.ones((2, 16, 16), np.float32)
    maps[1, 15, 15] = np.nan
    for each in (masked_network, network):
        with pytest.raises(ValueError, match=r"map 1, .*pixel \(15, 15\).*got nan.*mask=\.\.\."):
            each.infer(maps)


def test_a_mask_does_not_fit_other_pixels(masked_network):
    with pytest.raises(
        ValueError, match="to which the mask of the training belongs, got 32 pixels"
    ):
        masked_network.infer(np.ones((2, 32, 32), np.float32), box=25)


def test_maps_with_another_mask_are_refused(suite, masked_network):
    with pytest.raises(ValueError, match=r"Expected mask \w{6}, as in the training, got none"):
        masked_network.infer(suite.test)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (np.zeros((8, 8), bool), r"Expected a mask of shape \(16, 16\)"),
        (np.ones((16, 16), bool), "a mask of all pixels"),
    ],
)
def test_a_wrong_mask_is_refused(wrong, message, data, tmp_path):
    np.save(tmp_path / "mask.npy", wrong)
    with pytest.raises(ValueError, match=message):
        mf.load_suite(
            "MockNbody", "Mtot", data=data, cutout=16, mask=f"{tmp_path}/mask.npy", **SMALL
        )


# ---- noise and beam ----


def test_networks_see_noise_and_beam(data, suite, network, tmp_path):
    observed = mf.load_suite(
        "MockNbody", "Mtot", data=data, cutout=16, noise=0.2, beam=1.0, **SMALL
    )
    mf.train(observed, **QUICK).save(tmp_path)
    noisy = mf.load_network(tmp_path)
    assert (noisy.card.noise, noisy.card.beam) == (0.2, 1.0)
    expected = noisy.infer(observed.test, orientations=1)
    index = observed.test.index
    raw = np.array(observed.maps["Mtot"][index])
    maps = observe(raw, index.tolist(), "Mtot", noise=0.2, beam=1.0)[:, :16, :16]
    found = noisy.infer(np.ascontiguousarray(maps), orientations=1)
    np.testing.assert_array_equal(found.mean, expected.mean)
    with pytest.raises(ValueError, match=r"Expected noise 0\.2, as in the training, got 0"):
        noisy.infer(suite.test)
    with pytest.raises(ValueError, match=r"Expected noise 0\.0, as in the training, got 0\.2"):
        network.infer(observed.test)
    # the same maps with the same noise are no difference
    assert noisy.compare(observed.valid, observed.valid)["p_value"][0] == 1


# ---- zeros ----


@pytest.fixture(scope="module")
def holes(data, suite) -> tuple[np.ndarray, np.ndarray]:
    """Maps with a zero pixel in every third one, and their parameters."""
    maps = np.array(suite.maps["Mtot"][:, :16, :16])
    maps[::3, 4, 7] = 0
    return maps, suite.theta


def test_zeros_are_refused_or_get_a_stored_floor(holes, tmp_path):
    maps, theta = holes
    arguments = {"maps": maps, "theta": theta, "n_valid": 4, "n_test": 6}
    with pytest.raises(
        ValueError, match=r"pixel \(4, 7\): Expected a finite value > 0.*zeros=floor"
    ):
        mf.load_suite("Holes", "Mtot", data=tmp_path / "data", **arguments)
    own = mf.load_suite("Holes", "Mtot", data=tmp_path / "data", zeros="floor", **arguments)
    trained_on = maps[own.train.index]
    floor = float(trained_on[trained_on > 0].min())
    assert own.log_maps["Mtot"].floor == floor
    assert own.log_maps["Mtot"].read(slice(1))[0, 4, 7] == pytest.approx(np.log10(floor), rel=1e-6)

    mf.train(own, **QUICK).save(tmp_path / "net")
    network = mf.load_network(tmp_path / "net")
    assert network.card.channels[0].floor == floor
    expected = network.infer(own.test, orientations=1)
    found = network.infer(maps[own.test.index], orientations=1)
    np.testing.assert_array_equal(found.mean, expected.mean)
    assert found.table()["floored"].tolist() == [int(number % 3 == 0) for number in own.test.index]
    np.testing.assert_array_equal(
        network.infer(
            np.where(maps == 0, np.float32(floor), maps)[own.test.index], orientations=1
        ).mean,
        expected.mean,
    )
