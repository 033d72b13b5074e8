"""Sets of fields of a suite: their loaders, and random sets for training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from jaxtyping import Bool

from multifield.data.normalization import Normalization
from multifield.data.preprocess import LogMaps
from multifield.data.split_loaders import SplitLoaders, load_splits

FieldSet = tuple[str, ...]
"""Names of some fields, in the order of the channels."""

Shown = Bool[np.ndarray, "N C"]
"""Mask of the fields of each map that a network receives."""

# a stream other than that of order and orientations, [seed, epoch], which NumPy pads with zeros
FIELDS_STREAM = 1


def all_sets(fields: FieldSet) -> list[FieldSet]:
    """Return the 2^C - 1 non-empty sets of fields, the smallest first.

    Parameters
    ----------
    fields : tuple of str
        Names of the C fields.

    Returns
    -------
    sets : list of tuple of str
        Every non-empty set.
    """
    sizes = range(1, len(fields) + 1)
    return [chosen for size in sizes for chosen in combinations(fields, size)]


def draw_field_sets(
    n_maps: int, n_fields: int, seed: int, epoch: int, *, maps_per_set: int
) -> Shown:
    """Draw random sets of fields: a size from 1 to C, then a set of this size, both uniformly.

    Independent draws of each field would give almost only sets of medium size, but a search begins
    and ends with the smallest and largest sets.

    Parameters
    ----------
    n_maps : int
        Number of maps, N.
    n_fields : int
        Number of fields, C.
    seed, epoch : int
        Seed of the training and number of the epoch. The draws depend on nothing else.
    maps_per_set : int
        Number of consecutive maps with the same set. The last set may have fewer.

    Returns
    -------
    shown : (N, C) bool
        Whether each field of each map is in its set.
    """
    rng = np.random.default_rng([seed, epoch, FIELDS_STREAM])
    n_sets = -(-n_maps // maps_per_set)
    size = rng.integers(1, n_fields + 1, (n_sets, 1))
    rank = rng.random((n_sets, n_fields)).argsort(axis=1).argsort(axis=1)
    shown: Shown = np.repeat(rank < size, maps_per_set, axis=0)[:n_maps]
    return shown


@dataclass(frozen=True)
class FieldLoaders:
    """Factory of loaders of any set of fields.

    Attributes
    ----------
    log_maps : mapping of field to LogMaps
        Log maps of all fields.
    normalization : Normalization
        Mean and standard deviation of all fields, in the same order.
    others : mapping of str to object
        Other arguments of `multifield.data.load_splits`.
    """

    log_maps: Mapping[str, LogMaps]
    normalization: Normalization
    others: Mapping[str, Any]

    @property
    def fields(self) -> FieldSet:
        """Names of all fields, in the order of the channels."""
        return tuple(self.log_maps)

    def load(self, fields: FieldSet) -> SplitLoaders:
        """Create the loaders of a set of fields.

        Parameters
        ----------
        fields : tuple of str
            Names of the fields, in the order of the channels.

        Returns
        -------
        loaders : SplitLoaders
            Loaders of the three parts of the split.

        Raises
        ------
        ValueError
            If `fields` is empty or contains an unknown field.
        """
        if not fields or not set(fields) <= set(self.log_maps):
            raise ValueError(
                f"fields: Expected some of {', '.join(self.log_maps)}, "
                f"got {', '.join(fields) or 'none'}."
            )
        return load_splits(
            log_maps={field: self.log_maps[field] for field in fields},
            normalization=choose_normalization(self.normalization, fields),
            **self.others,
        )


def choose_normalization(normalization: Normalization, fields: Sequence[str]) -> Normalization:
    """Return the mean and standard deviation of these fields only."""
    rows = [normalization.fields.index(field) for field in fields]
    return Normalization(
        over=normalization.over,
        fields=tuple(fields),
        mean=tuple(normalization.mean[row] for row in rows),
        std=tuple(normalization.std[row] for row in rows),
    )
