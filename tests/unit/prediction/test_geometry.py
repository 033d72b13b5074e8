import numpy as np
import pytest

from multifield.prediction import Geometry, find_geometry
from tests.unit.prediction.test_card import make_card

WHOLE = make_card(map_size=16, box=25.0)
CUTOUT = make_card(map_size=16, box=25.0, periodic=False)


def maps_of(n_pixels: int):
    return {"T": np.ones((2, n_pixels, n_pixels), np.float32)}


@pytest.mark.parametrize("card", [WHOLE, CUTOUT])
@pytest.mark.parametrize("box", ["same", 25, 25.001])
def test_maps_like_the_training_maps(card, box):
    geometry = find_geometry(card, maps_of(16), box)
    assert geometry == Geometry(16, 16, 16)
    assert geometry.is_plain
    assert geometry.n_tiles == 1


@pytest.mark.parametrize(("n_pixels", "box", "n_tiles"), [(32, 50, 4), (40, 62.5, 9)])
def test_larger_maps_are_cut_into_tiles(n_pixels, box, n_tiles):
    geometry = find_geometry(CUTOUT, maps_of(n_pixels), box)
    assert geometry.n_tiles == n_tiles
    assert geometry.apply(maps_of(n_pixels)["T"]).shape == (2 * n_tiles, 16, 16)


@pytest.mark.parametrize(
    ("card", "n_pixels", "box", "message"),
    [
        (WHOLE, 32, "same", r"16 pixels and 25 Mpc/h .* got 32 pixels\. State .* maps_box="),
        (WHOLE, 8, "same", r"got 8 pixels\. State"),
        (WHOLE, 64, 50, r"25 Mpc/h per side, .* got 50 Mpc/h\. Tiles .* not periodic.*cutout=8"),
        (CUTOUT, 32, 12.5, r"at least 25 Mpc/h .* got 12\.5 Mpc/h.* cut-outs of at most 8 pixels"),
        (
            WHOLE,
            16,
            50,
            r"at most 1\.562 Mpc/h per pixel, .* got 3\.125 \(16 pixels and 50 Mpc/h\)",
        ),
        (WHOLE, 15, 25, r"at most 1\.562 Mpc/h per pixel, .* got 1\.667"),
    ],
)
def test_maps_that_networks_cannot_take_are_refused(card, n_pixels, box, message):
    with pytest.raises(ValueError, match="^maps of T: Expected maps of .*" + message):
        find_geometry(card, maps_of(n_pixels), box)


@pytest.mark.parametrize("card", [WHOLE, CUTOUT])
@pytest.mark.parametrize("n_pixels", [17, 23, 32])
def test_smaller_pixels_are_regridded(card, n_pixels):
    geometry = find_geometry(card, maps_of(n_pixels), 25)
    assert geometry.regridded_from == n_pixels
    assert geometry.n_tiles == 1
    np.testing.assert_array_equal(geometry.apply(maps_of(n_pixels)["T"]), maps_of(16)["T"])


def test_smaller_pixels_of_a_larger_map_are_regridded_and_cut():
    geometry = find_geometry(CUTOUT, maps_of(80), 50)
    assert (geometry.regridded_from, geometry.n_pixels, geometry.n_tiles) == (80, 32, 4)
