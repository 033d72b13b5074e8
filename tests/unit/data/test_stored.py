"""Log maps in 16 bits: what is lost is bounded, and how they are kept stands beside them."""

import dataclasses

import numpy as np
import pytest

from multifield.camels.selection import Selection
from multifield.data import MapLoader, Normalization
from multifield.data.preprocess import LogMaps, Preprocessing, moments_path, open_log_maps
from multifield.data.test_set import reuse_log_maps
from tests.helpers import preprocessing, tolerances
from tests.unit.training.examples import make_theta

PLAIN = dataclasses.replace(preprocessing.PLAIN, smoothing_width=1)
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


def test_pixels_are_off_by_half_a_unit_in_the_last_place(plain, compact):
    rows = slice(3, 9)
    found = compact.read(rows)
    assert found.dtype == np.float32
    distance = np.abs(plain.maps[rows].astype(np.float64) - compact.encoding.mean)
    unit = 2.0**-24 * compact.encoding.std  # of the smallest float16
    rounding = 2 * tolerances.EPS32 * np.abs(plain.maps).max()
    error = np.abs(found.astype(np.float64) - plain.maps[rows])
    assert (error <= HALF_ULP * distance + unit + rounding).all()
    assert error.max() > HALF_ULP / 2 * compact.encoding.std
    np.testing.assert_array_equal(plain.read(rows), plain.maps[rows])


def test_blocks_do_not_matter(tmp_path, compact, lognormal_maps, monkeypatch):
    monkeypatch.setattr("multifield.data.preprocess.BLOCK_BYTES", 7 * lognormal_maps[0].nbytes)
    cut = write(lognormal_maps, tmp_path / "cut.npy", dataclasses.replace(COMPACT, n_threads=3))
    np.testing.assert_array_equal(cut.maps, compact.maps)
    assert cut.encoding == compact.encoding


def test_maps_that_do_not_vary_are_kept(tmp_path):
    found = write(np.full((15, 8, 8), 10, np.float32), tmp_path / "log.npy")
    np.testing.assert_array_equal(found.read(slice(None)), np.float32(1))


def test_one_map_alone(tmp_path, lognormal_maps):
    assert len(write(lognormal_maps[:1], tmp_path / "log.npy").maps) == 1


def test_a_bad_pixel_leaves_the_old_maps_and_nothing_else(tmp_path, compact, lognormal_maps):
    before = compact.maps.copy()
    lognormal_maps[17, 3, 5] = np.nan
    with pytest.raises(ValueError, match="map 17"):
        write(lognormal_maps, tmp_path / "compact.npy")
    np.testing.assert_array_equal(open_log_maps(tmp_path / "compact.npy").maps, before)
    assert len(list(tmp_path.iterdir())) == 2


def test_moments_of_other_maps_are_refused(tmp_path, compact, lognormal_maps):
    """As a kill between two renames leaves them."""
    write(2 * lognormal_maps[::-1].copy(), tmp_path / "other.npy")
    (tmp_path / "other.npy").replace(tmp_path / "compact.npy")
    with pytest.raises(ValueError, match=r"compact\.moments\.npz: Expected the moments of"):
        open_log_maps(tmp_path / "compact.npy")


def test_maps_of_another_type_than_their_moments_say_are_refused(tmp_path, plain, compact):
    (tmp_path / "plain.npy").replace(tmp_path / "compact.npy")
    with pytest.raises(TypeError, match=r"compact\.npy: Expected float16 maps, got .*float32"):
        open_log_maps(tmp_path / "compact.npy")


def test_they_are_not_taken_for_float32_maps(compact, lognormal_maps):
    home = Selection(suite="IllustrisTNG", sim_set="LH", field="Mtot")
    present = {"Mtot": compact}
    for settings, expected in ((COMPACT, True), (PLAIN, False)):
        wanted = {"Mtot": Preprocessing(lognormal_maps, "Mtot", settings, "abc")}
        reused = reuse_log_maps(wanted, present, home, home)["Mtot"] is compact
        assert reused is expected
    assert moments_path(compact.maps.filename).is_file()


def test_batches_are_off_by_the_error_kept(plain, compact):
    normalization = Normalization(over="all", fields=("Mtot",), mean=(10.0,), std=(0.7,))
    options = {"batch_size": 8, "inferred": (0, 1)}
    exact, found = (
        np.concatenate([b.x.copy() for b in loader.ordered(range(8))])
        for loader in (
            MapLoader([maps.channel], make_theta(2), (0, 1), normalization, **options)
            for maps in (plain, compact)
        )
    )
    rounding = 4 * tolerances.EPS32 * np.abs(exact).max()
    limit = HALF_ULP * np.abs(plain.maps - compact.encoding.mean).max() / 0.7 + rounding
    assert 0 < np.abs(found - exact).max() <= limit


def test_numbers_in_16_bits_without_their_meaning_are_refused(compact):
    normalization = Normalization(over="all", fields=("Mtot",), mean=(10.0,), std=(0.7,))
    options = {"batch_size": 8, "inferred": (0, 1)}
    with pytest.raises(TypeError, match=r"maps: Expected float32 .* encoding, got float16"):
        MapLoader([compact.maps], make_theta(2), (0, 1), normalization, **options)


def test_several_fields(compact, plain):
    """Each channel with an encoding of its own."""
    other = LogMaps(compact.maps, plain.moments, {}, compact.encoding._replace(mean=3.0))
    normalization = Normalization(over="all", fields=("T", "HI"), mean=(10.0, 3.0), std=(1.0, 1.0))
    options = {"batch_size": 30, "inferred": (0, 1)}
    loader = MapLoader(
        [compact.channel, other.channel], make_theta(2), (0, 1), normalization, **options
    )
    x = next(loader.ordered([0])).x
    shift = compact.encoding.mean - 10.0
    np.testing.assert_allclose(x[:, 0] - shift, x[:, 1], atol=1e-5)  # float32 of numbers near 10
