"""Random order, orientations and shifts of the maps of an epoch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from multifield.core.arrays import Index


@dataclass(frozen=True)
class EpochPlan:
    """Order, orientations and shifts of the maps of an epoch, which determine its batches.

    Attributes
    ----------
    order : (M,) int64
        Positions of the maps in their loader, or numbers in their channel.
    orientation : (M,) int64
        Orientation of each map, 0 to 7: 2 * quarter turns + flip of axis 0 afterwards.
    shift : (M, 2) int64
        Periodic shift of each map in [pixels], before the orientation.
    """

    order: Index
    orientation: Index
    shift: Int64[np.ndarray, "N 2"]

    def batch(self, number: int, batch_size: int) -> "EpochPlan":
        """Return the rows of one batch."""
        rows = slice(number * batch_size, (number + 1) * batch_size)
        return EpochPlan(self.order[rows], self.orientation[rows], self.shift[rows])

    def batch_numbers(self, batch_size: int, first_batch: int = 0) -> range:
        """Return the numbers of the batches from `first_batch` on. The last batch may be smaller.

        Parameters
        ----------
        batch_size : int
            Maps per batch.
        first_batch : int, optional
            Number of the first batch.

        Returns
        -------
        numbers : range
            Numbers of the batches. Empty if `first_batch` is the number of batches.

        Raises
        ------
        ValueError
            If `first_batch` is negative or exceeds the number of batches.
        """
        n_batches = -(-len(self.order) // batch_size)
        if not 0 <= first_batch <= n_batches:
            raise ValueError(f"first_batch: Expected 0 to {n_batches}, got {first_batch}.")
        return range(first_batch, n_batches)


def draw_epoch(
    n_maps: int, n_pixels: int, seed: int, epoch: int, *, flips: bool, shifts: bool
) -> EpochPlan:
    """Draw an epoch that contains every map once, shuffled, in random orientations.

    Parameters
    ----------
    n_maps : int
        Number of maps.
    n_pixels : int
        Pixels per side of a map.
    seed, epoch : int
        Seed of the training and number of the epoch. The draws depend on nothing else.
    flips : bool
        Whether to draw from all eight orientations instead of the four rotations.
    shifts : bool
        Whether to draw periodic shifts.

    Returns
    -------
    plan : EpochPlan
        Draws of the epoch.
    """
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(n_maps)
    rotation = rng.integers(0, 4, n_maps)
    flip = rng.integers(0, 2, n_maps) * int(flips)
    shift = rng.integers(0, n_pixels, (n_maps, 2)) * int(shifts)
    return EpochPlan(order, 2 * rotation + flip, shift)


def ordered_epoch(n_maps: int, orientations: Sequence[int]) -> EpochPlan:
    """Plan every map in each of several orientations.

    Parameters
    ----------
    n_maps : int
        Number of maps.
    orientations : sequence of int
        Orientations, 0 to 7.

    Returns
    -------
    plan : EpochPlan
        Plan in the order (orientation, map).
    """
    order = np.tile(np.arange(n_maps), len(orientations))
    orientation = np.repeat(np.asarray(orientations, dtype=np.int64), n_maps)
    return EpochPlan(order, orientation, np.zeros((len(order), 2), np.int64))


def take_maps(rows: Index) -> EpochPlan:
    """Plan the maps of these rows in their order, without orientations or shifts."""
    return EpochPlan(rows, np.zeros(len(rows), np.int64), np.zeros((len(rows), 2), np.int64))
