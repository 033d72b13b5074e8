import numpy as np
import pytest

from multifield.prediction import check_geometry
from tests.unit.prediction.test_card import make_card

CARD = make_card(map_size=16, box=25.0)


def maps_of(n_pixels: int):
    return {"T": np.ones((2, n_pixels, n_pixels), np.float32)}


@pytest.mark.parametrize("box", ["same", 25, 25.001])
def test_maps_like_the_training_maps(box):
    check_geometry(CARD, maps_of(16), box)


@pytest.mark.parametrize(
    ("n_pixels", "box", "found"),
    [
        (8, "same", "8 pixels"),
        (32, "same", "32 pixels"),
        (16, 50, "16 pixels and 50 Mpc/h"),
        (32, 50, "32 pixels and 50 Mpc/h"),
    ],
)
def test_maps_of_another_size_are_refused(n_pixels, box, found):
    message = f"maps of T: Expected maps of 16 pixels and 25 Mpc/h per side.*got {found}"
    with pytest.raises(ValueError, match=message):
        check_geometry(CARD, maps_of(n_pixels), box)
