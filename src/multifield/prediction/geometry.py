"""Geometry of new maps: how they are brought to the pixels and the box of the training maps."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isclose
from typing import Literal

import numpy as np
from jaxtyping import Float32

from multifield.core.arrays import Maps
from multifield.data.test_set import BOX_TOLERANCE
from multifield.maps.cutouts import cut_tiles, tile_corners
from multifield.maps.memory import source_name
from multifield.prediction.card import ModelCard


@dataclass(frozen=True)
class Geometry:
    """How new maps become maps of the training's pixels.

    Attributes
    ----------
    n_pixels : int
        Pixels per side of the new maps.
    map_size : int
        Pixels per side of the training maps, which are those of a tile.
    """

    n_pixels: int
    map_size: int

    @property
    def is_plain(self) -> bool:
        """Whether the maps are used unchanged."""
        return self.n_pixels == self.map_size

    @property
    def n_tiles(self) -> int:
        """Number of tiles per map."""
        return len(tile_corners(self.n_pixels, self.map_size))

    def apply(self, maps: Maps) -> Float32[np.ndarray, "T M M"]:
        """Cut maps into tiles.

        Parameters
        ----------
        maps : (N, L, L) float32
            Raw maps of `n_pixels` pixels per side.

        Returns
        -------
        tiles : (T, M, M) float32
            Tiles of M = `map_size` pixels per side, rows ordered (tile, map).
        """
        return cut_tiles(maps, self.map_size)


def find_geometry(
    card: ModelCard, maps: Mapping[str, Maps], box: float | int | Literal["same"] = "same"
) -> Geometry:
    """Compare pixels and box of new maps with those of the training maps.

    Parameters
    ----------
    card : ModelCard
        Card of the networks.
    maps : mapping of field to (N, L, L) float32
        Raw maps of each field, all of one shape.
    box : float or "same", optional
        Side of the maps [Mpc/h]. ``same``: that of the training maps.

    Returns
    -------
    geometry : Geometry
        How the maps are cut.

    Raises
    ------
    ValueError
        If the networks cannot take such maps. The message says what to set or to train.
    """
    field, first = next(iter(maps.items()))
    size, n_pixels = card.map_size, first.shape[-1]
    side = card.box if box == "same" else box
    expected = f"{size} pixels and {card.box:g} Mpc/h per side, as in the training"
    found = f"{n_pixels} pixels" if box == "same" else f"{n_pixels} pixels and {side:g} Mpc/h"
    start = f"{source_name(first, f'maps of {field}')}: Expected maps of"
    if box == "same" and n_pixels != size:
        raise ValueError(
            f"{start} {expected}, got {found}. State their side in Mpc/h with --params "
            "maps_box=... or infer(box=...)."
        )
    if not isclose(side / n_pixels, card.pixel_size, rel_tol=BOX_TOLERANCE):
        raise ValueError(
            f"{start} {card.pixel_size:.4g} Mpc/h per pixel, as in the training, got "
            f"{side / n_pixels:.4g} ({found})."
        )
    if n_pixels < size:
        raise ValueError(
            f"{start} at least {expected}, got {found}. Train networks on cut-outs of at most "
            f"{n_pixels} pixels with --params cutout=..."
        )
    if n_pixels > size and card.periodic:
        raise ValueError(
            f"{start} {expected}, got {found}. Tiles of larger maps are not periodic. Train networks "
            f"on cut-outs with --params cutout={size // 2}."
        )
    return Geometry(n_pixels, size)
