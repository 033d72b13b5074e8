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
    assert geometry == Geometry(16, 16)
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
        (WHOLE, 32, 50, r"got 32 pixels and 50 Mpc/h\. Tiles .* not periodic.*cutout=8"),
        (CUTOUT, 8, 12.5, r"at least 16 pixels .* got 8 .* cut-outs of at most 8 pixels"),
        (WHOLE, 16, 50, r"1\.562 Mpc/h per pixel, as in the training, got 3\.125"),
    ],
)
def test_maps_that_networks_cannot_take_are_refused(card, n_pixels, box, message):
    with pytest.raises(ValueError, match="^maps of T: Expected maps of .*" + message):
        find_geometry(card, maps_of(n_pixels), box)
