"""Geometry of new maps: how they are brought to the pixels and the box of the training maps."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float32

from multifield.core.arrays import Maps
from multifield.data.test_set import BOX_TOLERANCE
from multifield.maps.cutouts import cut_tiles, tile_corners
from multifield.maps.memory import source_name
from multifield.maps.regrid import regrid
from multifield.prediction.card import ModelCard


@dataclass(frozen=True)
class Geometry:
    """How new maps become maps of the training's pixels.

    Attributes
    ----------
    n_file : int
        Pixels per side of the new maps in their file.
    n_pixels : int
        Pixels per side at the training's pixel size.
    map_size : int
        Pixels per side of the training maps, which are those of a tile.
    """

    n_file: int
    n_pixels: int
    map_size: int

    @property
    def is_plain(self) -> bool:
        """Whether the maps are used unchanged."""
        return self.n_file == self.n_pixels == self.map_size

    @property
    def regridded_from(self) -> int:
        """Pixels per side before regridding, 0 if the maps are not regridded."""
        return 0 if self.n_file == self.n_pixels else self.n_file

    @property
    def n_tiles(self) -> int:
        """Number of tiles per map."""
        return len(tile_corners(self.n_pixels, self.map_size))

    def apply(self, maps: Maps) -> Float32[np.ndarray, "T M M"]:
        """Regrid maps to the training's pixel size and cut them into tiles.

        Parameters
        ----------
        maps : (N, L, L) float32
            Raw maps of L = `n_file` pixels per side.

        Returns
        -------
        tiles : (T, M, M) float32
            Tiles of M = `map_size` pixels per side, rows ordered (tile, map).
        """
        gridded = regrid(maps, self.n_pixels) if self.regridded_from else maps
        return cut_tiles(gridded, self.map_size)


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
        How the maps are regridded and cut. Pixels of another size are regridded to the nearest
        whole number of the training's pixels.

    Raises
    ------
    ValueError
        If the networks cannot take such maps. The message says what to set or to train.
    """
    field, first = next(iter(maps.items()))
    size, n_file = card.map_size, first.shape[-1]
    side = card.box if box == "same" else box
    n_pixels = size if box == "same" else round(side / card.pixel_size)
    expected = f"{size} pixels and {card.box:g} Mpc/h per side, as in the training"
    found = f"{n_file} pixels" if box == "same" else f"{n_file} pixels and {side:g} Mpc/h"
    start = f"{source_name(first, f'maps of {field}')}: Expected maps of"
    if box == "same" and n_file != size:
        raise ValueError(
            f"{start} {expected}, got {found}. State their side in Mpc/h with --params "
            "maps_box=... or infer(box=...)."
        )
    if side / n_file > card.pixel_size * (1 + BOX_TOLERANCE):
        raise ValueError(
            f"{start} at most {card.pixel_size:.4g} Mpc/h per pixel, as in the training, got "
            f"{side / n_file:.4g} ({found}). Train networks on maps with such pixels."
        )
    if n_pixels < size:
        raise ValueError(
            f"{start} at least {card.box:g} Mpc/h per side, as in the training, got {side:g} Mpc/h. "
            f"Train networks on cut-outs of at most {n_pixels} pixels with --params cutout=..."
        )
    if n_pixels > size and card.periodic:
        raise ValueError(
            f"{start} {card.box:g} Mpc/h per side, as in the training, got {side:g} Mpc/h. Tiles of "
            "larger maps are not periodic. Train networks on cut-outs with --params "
            f"cutout={size // 2}."
        )
    geometry = Geometry(n_file, n_pixels, size)
    if card.mask is not None and not geometry.is_plain:
        raise ValueError(
            f"{start} {size} pixels per side, to which the mask of the training belongs, got {found}. "
            "Cut or regrid the maps yourself. Parts with other masks need networks of their own."
        )
    return geometry
