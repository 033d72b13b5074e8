"""What training needs of its data. `multifield.maps` has it; so may a user's own loader."""

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Int64

from multifield.arrays import MapBatch


@runtime_checkable
class TrainingBatch(Protocol):
    """Maps with their parameters, valid until the next batch is asked for: buffers are reused."""

    @property
    def x(self) -> MapBatch:
        """Standardized maps, (B, C, L, L)."""

    @property
    def theta(self) -> Float32[np.ndarray, "B P"]:
        """True parameters, scaled to [0, 1]."""

    @property
    def index(self) -> Int64[np.ndarray, " B"]:
        """Numbers of the maps, to name them in an error."""


@runtime_checkable
class BatchLoader(Protocol):
    """One part of the data, in batches."""

    def random_epoch(
        self, seed: int, epoch: int, *, flips: bool, shifts: bool
    ) -> Iterator[TrainingBatch]:
        """Give every map once, shuffled and oriented by seed and epoch alone."""

    def ordered(self, orientations: Sequence[int]) -> Iterator[TrainingBatch]:
        """Give every map in each orientation, in order."""

    def __len__(self) -> int:
        """Count the maps."""


@runtime_checkable
class TrainingData(Protocol):
    """Training, validation and test maps."""

    @property
    def train(self) -> BatchLoader:
        """What gradients come from."""

    @property
    def valid(self) -> BatchLoader:
        """What chooses the epoch and the trial."""

    @property
    def test(self) -> BatchLoader:
        """What chooses nothing."""

    @property
    def channels(self) -> int:
        """Fields in a map."""

    @property
    def map_size(self) -> int:
        """Pixels per side."""

    @property
    def inferred(self) -> tuple[int, ...]:
        """Columns of the parameters that the loss counts."""
