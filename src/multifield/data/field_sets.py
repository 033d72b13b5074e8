"""Sets of the fields of a suite: loaders of some of them, and random ones to train on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from jaxtyping import Bool

from multifield.data.loader import SplitLoaders, load_splits
from multifield.data.normalization import Normalization
from multifield.data.preprocess import LogMaps

FieldSet = tuple[str, ...]
"""Some fields, in the order of the channels they were taken from."""

Shown = Bool[np.ndarray, "N C"]
"""Which fields of each map a network is shown."""

# apart from the stream of order and orientations, [seed, epoch], which NumPy pads with zeros
FIELDS_STREAM = 1


def all_sets(fields: FieldSet) -> list[FieldSet]:
    """List the 2^C - 1 sets of at least one field, the smallest first."""
    sizes = range(1, len(fields) + 1)
    return [chosen for size in sizes for chosen in combinations(fields, size)]


def draw_field_sets(
    n_maps: int, n_fields: int, seed: int, epoch: int, *, maps_per_set: int
) -> Shown:
    """Draw sets of fields: the size uniform from 1 to all of them, then uniform among those of the size.

    Of independent draws of each field nearly all sets would be of middling size, and a search begins and ends
    at the others.

    Parameters
    ----------
    n_maps, n_fields : int
    seed, epoch : int
        All that the draws depend on, so that an epoch can be made again.
    maps_per_set : int
        Maps that follow each other and have the same set; the last may have fewer.

    Returns
    -------
    shown : (N, C) bool
    """
    rng = np.random.default_rng([seed, epoch, FIELDS_STREAM])
    n_sets = -(-n_maps // maps_per_set)
    size = rng.integers(1, n_fields + 1, (n_sets, 1))
    rank = rng.random((n_sets, n_fields)).argsort(axis=1).argsort(axis=1)
    shown: Shown = np.repeat(rank < size, maps_per_set, axis=0)[:n_maps]
    return shown


@dataclass(frozen=True)
class FieldLoaders:
    """Makes loaders of any set of the fields.

    Attributes
    ----------
    log_maps : mapping of field to LogMaps
    normalization : Normalization
        Of all of them, in their order.
    others : mapping
        The other arguments of `multifield.data.load_splits`.
    """

    log_maps: Mapping[str, LogMaps]
    normalization: Normalization
    others: Mapping[str, Any]

    @property
    def fields(self) -> FieldSet:
        """All fields, in the order of the channels."""
        return tuple(self.log_maps)

    def load(self, fields: FieldSet) -> SplitLoaders:
        """Make the loaders of some fields, the channels in this order; ValueError for others or none."""
        if not fields or not set(fields) <= set(self.log_maps):
            raise ValueError(
                f"fields: expected some of {', '.join(self.log_maps)}, got {', '.join(fields) or 'none'}"
            )
        return load_splits(
            log_maps={field: self.log_maps[field] for field in fields},
            normalization=choose_normalization(self.normalization, fields),
            **self.others,
        )


def choose_normalization(normalization: Normalization, fields: Sequence[str]) -> Normalization:
    """Take the mean and standard deviation of these fields."""
    rows = [normalization.fields.index(field) for field in fields]
    return Normalization(
        over=normalization.over,
        fields=tuple(fields),
        mean=tuple(normalization.mean[row] for row in rows),
        std=tuple(normalization.std[row] for row in rows),
    )
