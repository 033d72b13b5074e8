"""Batches for a network: the one path by which training, evaluation and prediction get maps."""

from collections.abc import Callable, Generator, Mapping, Sequence
from copy import copy
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, Literal, TypedDict, Unpack

import numpy as np

from multifield import camels
from multifield.config.data import NormalizationConfig, SplitConfig
from multifield.core.arrays import HalfBatch, Index, MapBatch, StoredMaps, Theta
from multifield.core.threads import available_threads
from multifield.data.augmentation import EpochPlan, draw_epoch, ordered_epoch, take_maps
from multifield.data.compact import Encoding, kept_type, normalization_as_kept
from multifield.data.joined import JoinedMaps, gather_joined
from multifield.data.manifest import Manifest
from multifield.data.map_files import check_counts
from multifield.data.normalization import Normalization, fit_normalization
from multifield.data.prefetch import prefetched
from multifield.data.preprocess import LogMaps, check_current
from multifield.data.streamed import StreamedMaps, gather_streamed
from multifield.maps.kernels import mapkernels
from multifield.maps.memory import Allocate, aligned_empty, place_in_file
from multifield.maps.splits import Simulations, Split, maps_of, split_simulations

BatchType = Literal["float32", "float16", "bfloat16"]
DTYPES = {"float32": np.float32, "float16": np.float16, "bfloat16": np.uint16}


class BatchOptions(TypedDict, total=False):
    """How batches are brought to where they are used; see `MapLoader`. None changes a float32 batch."""

    n_threads: int
    prefetch: int
    allocate: Allocate
    dtype: BatchType


@dataclass(frozen=True)
class Batch:
    """Some maps and their parameters.

    Attributes
    ----------
    x : (B, C, L, L) float32 or float16, or uint16
        Normalized log maps, in a buffer that is used again once the next batch is asked for. NumPy has no
        bfloat16: its bits are given as uint16.
    theta : (B, P) float32
        Parameters scaled to [0, 1] by `camels.scale_theta`.
    index : (B,) int64
        Numbers of the maps in their file.
    """

    x: MapBatch | HalfBatch
    theta: np.ndarray
    index: Index


class MapLoader:
    """Gathers, orients, shifts and normalizes maps into reused buffers, ahead of their use.

    Parameters
    ----------
    maps : sequence of (N, L, L) float32, of LogMaps or of JoinedMaps
        Log maps of each channel, all kept as one type; memory maps larger than memory are fine. Those of
        `Preprocessing.stream` are made of the raw maps for each batch; joined ones are of several files.
    theta : (S, P) float64
        Physical parameters of every simulation; with no `simulations`, (N, P), of every map.
    simulations : tuple of int or None
        The simulations this loader serves, all 15 maps of each. None serves every map of files that are not
        CMD's, whose maps belong to no simulation; their parameters are NaN where unknown.
    normalization : Normalization
        Mean and standard deviation of the log maps of each channel.
    batch_size : int
    inferred : tuple of int
        Columns of `theta` that act in the suite.
    n_threads : int, optional
        Of the gather, 0 for all cores; the batches do not depend on it.
    prefetch : int, optional
        Batches made ahead by a thread of its own while one is in use; 0 makes each when it is asked for.
        The batches do not depend on it. There is one buffer more than this.
    allocate : callable, optional
        Makes the buffers, such as page-locked ones; quickest where they begin with a cache line.
    dtype : {"float32", "float16", "bfloat16"}, optional
        Of the batches; 16 bits are rounded from the float32 ones.

    Attributes
    ----------
    theta : (M, P) float64
        Physical parameters of each map served.
    """

    def __init__(
        self,
        maps: Sequence[StoredMaps | LogMaps | JoinedMaps],
        theta: Theta,
        simulations: Simulations | None,
        normalization: Normalization,
        *,
        batch_size: int,
        inferred: tuple[int, ...],
        n_threads: int = 1,
        prefetch: int = 0,
        allocate: Allocate = aligned_empty,
        dtype: BatchType = "float32",
    ) -> None:
        if prefetch < 0:
            raise ValueError(f"prefetch: expected >= 0 batches, got {prefetch}")
        self._maps, encodings = _unpack(maps)
        self._gather_rows = _choose_gather(self._maps)
        as_kept = normalization_as_kept(normalization, encodings)
        self._mean, self._std = np.asarray(as_kept.mean), np.asarray(as_kept.std)
        self._n_threads = available_threads(n_threads)
        self._dtype: BatchType = dtype
        self._serve(theta, simulations)
        self.inferred = inferred
        self.batch_size = batch_size
        self.channels = len(self._maps)
        self.map_size = self._maps[0].shape[-1]
        self._allocate, self._n_buffers = allocate, prefetch + 1

    def __getstate__(self) -> dict[str, Any]:
        """Describe the loader for another process: places of maps in files, and the table of parameters."""
        derived = ("_gather_rows", "theta", "_index", "_scaled")
        return {name: value for name, value in vars(self).items() if name not in derived}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Make the rest anew."""
        vars(self).update(state)
        self._gather_rows = _choose_gather(self._maps)
        self._serve(self._table, self._simulations)

    @property
    def is_in_files(self) -> bool:
        """Whether another process can open the maps itself."""
        return all(map(_are_in_files, self._maps))

    def __len__(self) -> int:
        """Count the maps served, each once."""
        return len(self._index)

    def serving(self, theta: Theta, simulations: Simulations) -> "MapLoader":
        """Give a loader of other simulations of the same maps.

        Parameters
        ----------
        theta : (S, P) float64
            As this loader was given.
        simulations : tuple of int
        """
        other = copy(self)
        other._serve(theta, simulations)
        return other

    def _serve(self, theta: Theta, simulations: Simulations | None) -> None:
        """Choose maps and their parameters."""
        self._table, self._simulations = theta, simulations
        rows_of_theta, self._index = _choose(theta, simulations)
        self.theta = theta[rows_of_theta]
        self._scaled = camels.scale_theta(self.theta).astype(np.float32)

    def random_epoch(
        self, seed: int, epoch: int, *, flips: bool, shifts: bool, first_batch: int = 0
    ) -> Generator[Batch, None, None]:
        """Give every map once, shuffled, each in a random orientation.

        Parameters
        ----------
        seed, epoch : int
            All that the order and the draws depend on, so that an epoch can be made again.
        flips : bool
            Draw from eight orientations; otherwise the four rotations, as the public copies of the
            benchmark do by a fault.
        shifts : bool
            Also a random periodic shift.
        first_batch : int, optional
            Leave out the batches before this one; the others are those of the whole epoch.

        Returns
        -------
        batches : generator of Batch
            The last one may be smaller. A thread that makes batches ahead ends with it: close it
            (`contextlib.closing`) to end both before it is collected.
        """
        plan = draw_epoch(len(self), self.map_size, seed, epoch, flips=flips, shifts=shifts)
        return self._batches(plan, first_batch)

    def ordered(self, orientations: Sequence[int]) -> Generator[Batch, None, None]:
        """Give every map in each of the orientations, in the order (orientation, simulation, map)."""
        return self._batches(ordered_epoch(len(self), orientations), 0)

    def take(self, rows: Index) -> Batch:
        """Give these of the maps served, in an array of their own, as they lie in their file.

        Parameters
        ----------
        rows : (B,) int64
            Positions among the maps served, as the rows of `theta`.
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
        """Gather the maps of a batch; the kernel releases the GIL."""
        index = self._index[rows.order]
        x = buffer[: len(index)]
        self._gather_rows(
            index,
            rows.orientation,
            rows.shift,
            self._mean,
            self._std,
            x,
            n_threads=self._n_threads,
            out_dtype=self._dtype,
        )
        return Batch(x, self._scaled[rows.order], index)


def _choose_gather(maps: Sequence[StoredMaps | StreamedMaps | JoinedMaps]) -> Callable[..., None]:
    """Give what gathers a batch of these channels."""
    streamed = [each for each in maps if isinstance(each, StreamedMaps)]
    joined = [each for each in maps if isinstance(each, JoinedMaps)]
    kept = [each for each in maps if not isinstance(each, StreamedMaps | JoinedMaps)]
    if len(maps) not in (len(streamed), len(joined), len(kept)):
        raise TypeError(
            "maps: expected channels that are all kept, all joined or all made when they are read, got "
            f"{len(kept)}, {len(joined)} and {len(streamed)}"
        )
    if streamed:
        return partial(gather_streamed, streamed)
    if joined:
        return partial(gather_joined, joined)
    return partial(mapkernels.gather, kept, field_dtype=kept_type(kept[0]))


def _are_in_files(maps: StoredMaps | StreamedMaps | JoinedMaps) -> bool:
    parts = maps.parts if isinstance(maps, JoinedMaps) else (maps,)
    arrays = [part.raw if isinstance(part, StreamedMaps) else part for part in parts]
    return all(place_in_file(array) is not None for array in arrays)


def _choose(theta: Theta, simulations: Simulations | None) -> tuple[Index, Index]:
    """Give the row of `theta` and the number in its file of each map."""
    if simulations is None:
        every = np.arange(len(theta), dtype=np.int64)
        return every, every
    index = maps_of(simulations)
    return index // camels.MAPS_PER_SIMULATION, index


def _unpack(
    maps: Sequence[StoredMaps | LogMaps | JoinedMaps],
) -> tuple[list[StoredMaps | StreamedMaps | JoinedMaps], list[Encoding | None]]:
    """Give the arrays, and how each is kept."""
    arrays: list[StoredMaps | StreamedMaps | JoinedMaps] = []
    encodings = []
    for channel, each in enumerate(maps):
        array, encoding = (each.maps, each.encoding) if isinstance(each, LogMaps) else (each, None)
        if not isinstance(array, StreamedMaps) and encoding is None and array.dtype != np.float32:
            raise TypeError(
                f"maps[{channel}]: expected float32 log maps, or LogMaps, which say what numbers in 16 "
                f"bits mean, got {array.dtype.name}"
            )
        arrays.append(array)
        encodings.append(encoding)
    return arrays, encodings


@dataclass(frozen=True)
class SplitLoaders:
    """The three parts of a suite, ready for a network.

    `causes` lists everything that decides what they hold, one key a cause, so that two can be compared.
    `maps_per_set` is not 0 where a network shall learn to infer from any set of the fields; see `any_fields`.
    """

    train: MapLoader
    valid: MapLoader
    test: MapLoader
    channels: int
    map_size: int
    inferred: tuple[int, ...]
    causes: Mapping[str, str]
    maps_per_set: int = 0

    @property
    def network_channels(self) -> int:
        """Channels that a network sees: the fields, and which of them it is shown where that varies."""
        return 2 * self.channels if self.maps_per_set else self.channels

    def any_fields(self, maps_per_set: int) -> "SplitLoaders":
        """Give the same maps for a network that is shown random sets of their fields.

        So many maps that follow each other in a batch are shown in the same set.
        """
        causes = {**self.causes, "fields_shown": f"random, {maps_per_set} maps a set"}
        return replace(self, maps_per_set=maps_per_set, causes=causes)


def load_splits(
    log_maps: Mapping[str, LogMaps],
    theta: Theta,
    split: Split,
    normalization: Normalization,
    manifest: Manifest,
    *,
    split_config: SplitConfig,
    normalization_config: NormalizationConfig,
    batch_size: int,
    **options: Unpack[BatchOptions],
) -> SplitLoaders:
    """Make the loaders of the three parts of a split.

    Parameters
    ----------
    log_maps : mapping of field to LogMaps
        The fields become channels in this order.
    theta : (S, P) float64
    split : Split
    normalization : Normalization
        Of the same fields in the same order.
    manifest : Manifest
        Of the raw files; its suite decides which parameters are inferred.
    split_config : SplitConfig
    normalization_config : NormalizationConfig
        What this run asks for; `split` and `normalization` must be just that.
    batch_size : int
    **options : BatchOptions
        How batches are made; see `MapLoader`.

    Raises
    ------
    ValueError
        If maps, parameters, split or normalization are not those of the manifest and of the
        configuration: what an earlier run left must not be used for another.
    """
    manifest.check_theta(theta)
    check_current(log_maps, manifest.checksums(tuple(log_maps)))
    _check_split(split, len(theta), split_config)
    _check_normalization(normalization, log_maps, split, normalization_config)
    acting = camels.find_suite(manifest.suite).inferred_columns
    inferred = tuple(column for column in acting if np.isfinite(theta[:, column]).all())
    maps = list(log_maps.values())
    for field, entry in log_maps.items():
        check_counts(entry.maps, theta, field)

    train = MapLoader(
        maps,
        theta,
        split.train,
        normalization,
        batch_size=batch_size,
        inferred=inferred,
        **options,
    )
    return SplitLoaders(
        train=train,
        valid=train.serving(theta, split.valid),
        test=train.serving(theta, split.test),
        channels=len(maps),
        map_size=maps[0].maps.shape[-1],
        inferred=inferred,
        causes=_list_causes(log_maps, split, normalization, manifest),
    )


def _list_causes(
    log_maps: Mapping[str, LogMaps], split: Split, normalization: Normalization, manifest: Manifest
) -> dict[str, str]:
    causes: dict[str, object] = {
        "suite": manifest.suite,
        "sim_set": manifest.sim_set,
        "theta_sha256": manifest.files["theta"].sha256,
        **{f"split.{key}": value for key, value in asdict(split).items()},
        **{f"normalization.{key}": value for key, value in asdict(normalization).items()},
    }
    if manifest.made_by:
        causes["made_by"] = manifest.made_by
    for field, entry in log_maps.items():
        causes |= {f"log_maps.{field}.{key}": value for key, value in entry.provenance.items()}
    return {key: str(value) for key, value in causes.items()}


def _check_split(split: Split, n_simulations: int, config: SplitConfig) -> None:
    """Require the split that the configuration draws."""
    expected = split_simulations(
        n_simulations, config.seed, n_valid=config.n_valid, n_test=config.n_test
    )
    if split != expected:
        raise ValueError(
            f"split: expected {n_simulations} simulations split by seed {config.seed} with "
            f"{config.n_valid} to validate and {config.n_test} to test, got {split.n_simulations} by "
            f"seed {split.seed} with {len(split.valid)} and {len(split.test)}; "
            "run `multifield run --pipelines preprocess`"
        )


def _check_normalization(
    normalization: Normalization,
    log_maps: Mapping[str, LogMaps],
    split: Split,
    config: NormalizationConfig,
) -> None:
    """Require the statistics of these maps over this split; they cost a sum over rows."""
    moments = {field: entry.moments for field, entry in log_maps.items()}
    expected = fit_normalization(moments, split, config.over)
    if normalization != expected:
        raise ValueError(
            f"normalization: expected {expected}, got {normalization}; "
            "run `multifield run --pipelines preprocess`"
        )
