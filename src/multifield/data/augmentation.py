"""All that is drawn at random of an epoch, apart from how its batches are made."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from multifield.core.arrays import Index


@dataclass(frozen=True)
class EpochPlan:
    """Which map comes when, and how it is turned; whoever makes batches of one plan makes the same.

    Attributes
    ----------
    order : (M,) int64
        Positions among the maps of a loader.
    orientation : (M,) int64
        Of each map in that order, 0 to 7: 2 * quarter turns + flip of axis 0 afterwards.
    shift : (M, 2) int64
        Periodic shift of each map [pixels], before the orientation.
    """

    order: Index
    orientation: Index
    shift: Int64[np.ndarray, "N 2"]

    def batch(self, number: int, batch_size: int) -> "EpochPlan":
        """Cut out the rows of a batch."""
        rows = slice(number * batch_size, (number + 1) * batch_size)
        return EpochPlan(self.order[rows], self.orientation[rows], self.shift[rows])

    def batch_numbers(self, batch_size: int, first_batch: int = 0) -> range:
        """Give the numbers of the batches from `first_batch` on; the last one may be smaller.

        Raises
        ------
        ValueError
            If there is no such batch, nor an end there.
        """
        n_batches = -(-len(self.order) // batch_size)
        if not 0 <= first_batch <= n_batches:
            raise ValueError(f"first_batch: expected 0 to {n_batches}, got {first_batch}")
        return range(first_batch, n_batches)


def draw_epoch(
    n_maps: int, n_pixels: int, seed: int, epoch: int, *, flips: bool, shifts: bool
) -> EpochPlan:
    """Draw an epoch of every map once, shuffled, each in a random orientation.

    Parameters
    ----------
    n_maps, n_pixels : int
        Maps to shuffle, and pixels a side.
    seed, epoch : int
        All that the draws depend on, so that an epoch can be made again.
    flips : bool
        Draw from eight orientations; otherwise the four rotations.
    shifts : bool
        Also a random periodic shift.
    """
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(n_maps)
    rotation = rng.integers(0, 4, n_maps)
    flip = rng.integers(0, 2, n_maps) * int(flips)
    shift = rng.integers(0, n_pixels, (n_maps, 2)) * int(shifts)
    return EpochPlan(order, 2 * rotation + flip, shift)


def ordered_epoch(n_maps: int, orientations: Sequence[int]) -> EpochPlan:
    """Plan every map in each of the orientations, in the order (orientation, map)."""
    order = np.tile(np.arange(n_maps), len(orientations))
    orientation = np.repeat(np.asarray(orientations, dtype=np.int64), n_maps)
    return EpochPlan(order, orientation, np.zeros((len(order), 2), np.int64))


def take_maps(rows: Index) -> EpochPlan:
    """Plan these maps as they are, in the order given."""
    return EpochPlan(rows, np.zeros(len(rows), np.int64), np.zeros((len(rows), 2), np.int64))
