"""Pixels and box of new maps, compared with those of the training maps."""

from collections.abc import Mapping
from math import isclose
from typing import Literal

from multifield.core.arrays import Maps
from multifield.data.test_set import BOX_TOLERANCE
from multifield.maps.memory import source_name
from multifield.prediction.card import ModelCard


def check_geometry(
    card: ModelCard, maps: Mapping[str, Maps], box: float | int | Literal["same"] = "same"
) -> None:
    """Require maps with the pixels and the box of the training maps.

    Parameters
    ----------
    card : ModelCard
        Card of the networks.
    maps : mapping of field to (N, L, L) float32
        Raw maps of each field.
    box : float or "same", optional
        Side of the maps [Mpc/h]. ``same``: that of the training maps.

    Raises
    ------
    ValueError
        If the number of pixels or the box differs.
    """
    field, first = next(iter(maps.items()))
    n_pixels = first.shape[-1]
    side = card.box if box == "same" else box
    if n_pixels == card.map_size and isclose(side, card.box, rel_tol=BOX_TOLERANCE):
        return
    found = f"{n_pixels} pixels" if box == "same" else f"{n_pixels} pixels and {side:g} Mpc/h"
    raise ValueError(
        f"{source_name(first, f'maps of {field}')}: Expected maps of {card.map_size} pixels and "
        f"{card.box:g} Mpc/h per side, as in the training, got {found}."
    )
