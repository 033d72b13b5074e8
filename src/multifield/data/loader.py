"""Loaders of batches of maps, which training, evaluation and prediction share."""

from collections.abc import Generator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, Protocol, TypedDict, runtime_checkable

import numpy as np
from jaxtyping import Float64

from multifield import camels
from multifield.core.arrays import HalfBatch, Index, MapBatch, StoredMaps, Theta
from multifield.core.threads import available_threads
from multifield.data.augmentation import EpochPlan, draw_epoch, ordered_epoch, take_maps
from multifield.data.joined import JoinedMaps
from multifield.data.normalization import Normalization
from multifield.data.prefetch import prefetched
from multifield.data.stored import ArrayMaps
from multifield.maps.memory import Allocate, aligned_empty
from multifield.maps.splits import Simulations, maps_of

BatchType = Literal["float32", "float16", "bfloat16"]
DTYPES = {"float32": np.float32, "float16": np.float16, "bfloat16": np.uint16}


class BatchOptions(TypedDict, total=False):
    """Options of `MapLoader` that do not change a float32 batch.

    Attributes
    ----------
    n_threads : int
        Number of threads. 0 uses all cores.
    prefetch : int
        Number of prefetched batches.
    allocate : callable
        Function that allocates the buffers.
    dtype : {"float32", "float16", "bfloat16"}
        Type of the batches.
    """

    n_threads: int
    prefetch: int
    allocate: Allocate
    dtype: BatchType


@dataclass(frozen=True)
class Batch:
    """Batch of maps and their parameters.

    Attributes
    ----------
    x : (B, C, L, L) float32, float16 or uint16
        Normalized log maps, in a buffer that is reused when the next batch is requested. uint16
        contains the bits of bfloat16, which NumPy lacks.
    theta : (B, P) float32
        Parameters scaled to [0, 1] by the `scale` of their space.
    index : (B,) int64
        Numbers of the maps in their file.
    """

    x: MapBatch | HalfBatch
    theta: np.ndarray
    index: Index


@runtime_checkable
class Channel(Protocol):
    """Log maps of one field: stored, or joined from several files."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the maps, (N, L, L)."""

    @property
    def is_in_files(self) -> bool:
        """Whether another process can open the files of the maps."""

    @staticmethod
    def gather(
        channels: Sequence[Any],
        rows: EpochPlan,
        mean: Float64[np.ndarray, " C"],
        std: Float64[np.ndarray, " C"],
        out: MapBatch | HalfBatch,
        **options: Any,
    ) -> None:
        """Write the batch of `rows` of several channels of this class to `out`, normalized.

        `options` are `n_threads` and `out_dtype` of `mapkernels.gather`.
        """


class MapLoader:
    """Loader that gathers, orients, shifts and normalizes maps into prefetched batches.

    Parameters
    ----------
    maps : sequence of Channel or (N, L, L) float32
        Log maps of each channel, all stored in the same way. Memory maps may be larger than memory.
    theta : (S, P) float64
        Coordinates of the parameters of every simulation, or, if `simulations` is None, (N, P) of
        every map.
    simulations : tuple of int or None
        Simulations whose maps are loaded. None loads every map of files other than CMD's,
        whose maps belong to no simulation. Their parameters are NaN if unknown.
    normalization : Normalization
        Mean and standard deviation of the log maps of each channel.
    batch_size : int
        Maps per batch.
    inferred : tuple of int
        Columns of `theta` that are inferred.
    space : ParameterSpace, optional
        Parameters of the columns of `theta`. By default CMD's six.
    maps_per_simulation : int, optional
        Number of maps per simulation.
    box : float, optional
        Side of a map [Mpc/h].
    n_threads : int, optional
        Number of threads. 0 uses all cores. The batches do not depend on it.
    prefetch : int, optional
        Number of batches that a background thread prefetches. 0 assembles each batch when it is
        requested. The batches do not depend on it. The number of buffers is `prefetch` + 1.
    allocate : callable, optional
        Function that allocates the buffers, for example in page-locked memory. Buffers that are
        aligned to a cache line are the fastest.
    dtype : {"float32", "float16", "bfloat16"}, optional
        Type of the batches. 16 bits are rounded from float32.

    Attributes
    ----------
    theta : (M, P) float64
        Coordinates of the parameters of each loaded map.
    inferred : tuple of int
        Columns of `theta` that are inferred.
    space : ParameterSpace
        Parameters of the columns of `theta`.
    maps_per_simulation : int
        Number of maps per simulation.
    box : float
        Side of a map [Mpc/h].
    batch_size : int
        Maps per batch.
    channels : int
        Number of channels, C.
    map_size : int
        Pixels per side of a map, L.
    """

    def __init__(
        self,
        maps: Sequence[Channel | StoredMaps],
        theta: Theta,
        simulations: Simulations | None,
        normalization: Normalization,
        *,
        batch_size: int,
        inferred: tuple[int, ...],
        space: camels.ParameterSpace = camels.CMD,
        maps_per_simulation: int = camels.MAPS_PER_SIMULATION,
        box: float = camels.BOX_SIZE,
        n_threads: int = 1,
        prefetch: int = 0,
        allocate: Allocate = aligned_empty,
        dtype: BatchType = "float32",
    ) -> None:
        if prefetch < 0:
            raise ValueError(f"prefetch: Expected >= 0 batches, got {prefetch}.")
        self._maps: list[Channel] = [
            ArrayMaps(each) if isinstance(each, np.ndarray) else each for each in maps
        ]
        kinds = {type(each).__name__ for each in self._maps}
        if len(kinds) > 1:
            raise TypeError(
                f"maps: Expected channels of one class, got {', '.join(sorted(kinds))}."
            )
        self._mean, self._std = np.asarray(normalization.mean), np.asarray(normalization.std)
        self._n_threads = available_threads(n_threads)
        self._dtype: BatchType = dtype
        self.space, self.maps_per_simulation = space, maps_per_simulation
        self.box = box
        self._serve(theta, simulations)
        self.inferred = inferred
        self.batch_size = batch_size
        self.channels = len(self._maps)
        self.map_size = self._maps[0].shape[-1]
        self._allocate, self._n_buffers = allocate, prefetch + 1

    def __getstate__(self) -> dict[str, Any]:
        """Pickle the references to map files and the parameter table."""
        derived = ("theta", "_index", "_scaled")
        return {name: value for name, value in vars(self).items() if name not in derived}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the derived attributes."""
        vars(self).update(state)
        self._serve(self._table, self._simulations)

    @property
    def is_in_files(self) -> bool:
        """Whether another process can open the files of the maps."""
        return all(channel.is_in_files for channel in self._maps)

    @property
    def starts(self) -> tuple[int, ...]:
        """Number of the first map of each file that follows another behind one index."""
        first = self._maps[0]
        return tuple(first.starts.tolist()) if isinstance(first, JoinedMaps) else (0,)

    def __len__(self) -> int:
        """Return the number of loaded maps, each counted once."""
        return len(self._index)

    def serving(self, theta: Theta, simulations: Simulations) -> "MapLoader":
        """Return a loader of other simulations of the same files.

        Parameters
        ----------
        theta : (S, P) float64
            Coordinates of the parameters of every simulation.
        simulations : tuple of int
            Simulations to load.

        Returns
        -------
        loader : MapLoader
            Loader with the same settings.
        """
        other = copy(self)
        other._serve(theta, simulations)
        return other

    def _serve(self, theta: Theta, simulations: Simulations | None) -> None:
        """Select maps and their parameters."""
        self._table, self._simulations = theta, simulations
        rows_of_theta, self._index = _choose(theta, simulations, self.maps_per_simulation)
        self.theta = theta[rows_of_theta]
        self._scaled = self.space.scale(self.theta).astype(np.float32)

    def random_epoch(
        self, seed: int, epoch: int, *, flips: bool, shifts: bool, first_batch: int = 0
    ) -> Generator[Batch, None, None]:
        """Iterate over every map once, shuffled, in random orientations.

        Parameters
        ----------
        seed, epoch : int
            Seed of the training and number of the epoch. Order and draws depend on nothing else.
        flips : bool
            Whether to draw from all eight orientations instead of the four rotations. The public
            code of the benchmark uses four by mistake.
        shifts : bool
            Whether to draw periodic shifts.
        first_batch : int, optional
            Number of the first batch. The batches are those of the complete epoch.

        Returns
        -------
        batches : generator of Batch
            Batches, of which the last may be smaller. Close the generator (`contextlib.closing`) to
            end its background thread early.
        """
        plan = draw_epoch(len(self), self.map_size, seed, epoch, flips=flips, shifts=shifts)
        return self._batches(plan, first_batch)

    def ordered(self, orientations: Sequence[int]) -> Generator[Batch, None, None]:
        """Iterate over every map in each of several orientations.

        Parameters
        ----------
        orientations : sequence of int
            Orientations, 0 to 7; see `EpochPlan`.

        Returns
        -------
        batches : generator of Batch
            Batches in the order (orientation, simulation, map).
        """
        return self._batches(ordered_epoch(len(self), orientations), 0)

    def take(self, rows: Index) -> Batch:
        """Return some of the loaded maps in a new array, in their original orientation.

        Parameters
        ----------
        rows : (B,) int64
            Rows of `theta` of the maps.

        Returns
        -------
        batch : Batch
            Maps and parameters of these rows.
        """
        shape = (len(rows), self.channels, self.map_size, self.map_size)
        buffer = np.empty(shape, DTYPES[self._dtype])
        return self._gather(take_maps(rows), buffer)

    def _batches(self, plan: EpochPlan, first_batch: int) -> Generator[Batch, None, None]:
        return self._iterate(plan, plan.batch_numbers(self.batch_size, first_batch))

    def _iterate(self, plan: EpochPlan, numbers: range) -> Generator[Batch, None, None]:
        shape = (self.batch_size, self.channels, self.map_size, self.map_size)
        buffers = [self._allocate(shape, DTYPES[self._dtype]) for _ in range(self._n_buffers)]
        yield from prefetched(partial(self._make_batch, plan), numbers, buffers)

    def _make_batch(self, plan: EpochPlan, number: int, buffer: np.ndarray) -> Batch:
        return self._gather(plan.batch(number, self.batch_size), buffer)

    def _gather(self, rows: EpochPlan, buffer: np.ndarray) -> Batch:
        """Assemble a batch. The kernel releases the GIL."""
        index = self._index[rows.order]
        x = buffer[: len(index)]
        self._maps[0].gather(
            self._maps,
            replace(rows, order=index),
            self._mean,
            self._std,
            x,
            n_threads=self._n_threads,
            out_dtype=self._dtype,
        )
        return Batch(x, self._scaled[rows.order], index)


def _choose(
    theta: Theta, simulations: Simulations | None, maps_per_simulation: int
) -> tuple[Index, Index]:
    """Return the row of `theta` and the number in its file of each map."""
    if simulations is None:
        every = np.arange(len(theta), dtype=np.int64)
        return every, every
    index = maps_of(simulations, maps_per_simulation)
    return index // maps_per_simulation, index
