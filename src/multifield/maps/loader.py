"""Batches for a network: the one path by which training, evaluation and prediction get maps."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from multifield import camels
from multifield.arrays import Index, MapBatch, Maps, Theta
from multifield.maps.files import check_counts
from multifield.maps.kernels import mapkernels
from multifield.maps.manifest import Manifest
from multifield.maps.normalization import (
    Normalization,
    NormalizationConfig,
    fit_normalization,
)
from multifield.maps.preprocess import LogMaps, check_current
from multifield.maps.splits import Simulations, Split, SplitConfig, maps_of, split_simulations


@dataclass(frozen=True)
class Batch:
    """Some maps and their parameters.

    Attributes
    ----------
    x : (B, C, L, L) float32
        Normalized log maps, in a buffer that the next batch overwrites.
    theta : (B, P) float32
        Parameters scaled to [0, 1] by `camels.scale_theta`.
    index : (B,) int64
        Numbers of the maps in their file.
    """

    x: MapBatch
    theta: np.ndarray
    index: Index


class MapLoader:
    """Gathers, orients, shifts and normalizes maps into a reused buffer.

    Parameters
    ----------
    maps : sequence of (N, L, L) float32
        Log maps of each channel; memory maps larger than memory are fine.
    theta : (S, P) float64
        Physical parameters of every simulation.
    simulations : tuple of int
        The simulations this loader serves, all 15 maps of each.
    normalization : Normalization
        Mean and standard deviation of each channel.
    batch_size : int
    inferred : tuple of int
        Columns of `theta` that act in the suite.
    n_threads : int, optional
        Of the gather; the batches do not depend on it.

    Attributes
    ----------
    theta : (M, P) float64
        Physical parameters of each map served.
    """

    def __init__(
        self,
        maps: Sequence[Maps],
        theta: Theta,
        simulations: Simulations,
        normalization: Normalization,
        *,
        batch_size: int,
        inferred: tuple[int, ...],
        n_threads: int = 1,
    ) -> None:
        self._maps = list(maps)
        self._index = maps_of(simulations)
        self._mean = np.asarray(normalization.mean)
        self._std = np.asarray(normalization.std)
        self._n_threads = n_threads
        self.theta = theta[self._index // camels.MAPS_PER_SIMULATION]
        self.inferred = inferred
        self._scaled = camels.scale_theta(self.theta).astype(np.float32)
        self._n_pixels = self._maps[0].shape[-1]
        shape = (batch_size, len(self._maps), self._n_pixels, self._n_pixels)
        self._buffer = np.empty(shape, np.float32)

    def __len__(self) -> int:
        """Count the maps served, each once."""
        return len(self._index)

    def random_epoch(self, seed: int, epoch: int, *, flips: bool, shifts: bool) -> Iterator[Batch]:
        """Yield every map once, shuffled, each in a random orientation.

        Parameters
        ----------
        seed, epoch : int
            All that the order and the draws depend on, so that an epoch can be made again.
        flips : bool
            Draw from eight orientations; otherwise the four rotations, as the public copies of the
            benchmark do by a fault.
        shifts : bool
            Also a random periodic shift.

        Yields
        ------
        batch : Batch
            The last one may be smaller.
        """
        rng = np.random.default_rng([seed, epoch])
        n_maps = len(self)
        order = rng.permutation(n_maps)
        rotation = rng.integers(0, 4, n_maps)
        flip = rng.integers(0, 2, n_maps) * int(flips)
        shift = rng.integers(0, self._n_pixels, (n_maps, 2)) * int(shifts)
        yield from self._batches(order, 2 * rotation + flip, shift)

    def ordered(self, orientations: Sequence[int]) -> Iterator[Batch]:
        """Yield every map in each of the orientations, in the order (orientation, simulation, map)."""
        n_maps = len(self)
        order = np.tile(np.arange(n_maps), len(orientations))
        orientation = np.repeat(np.asarray(orientations, dtype=np.int64), n_maps)
        yield from self._batches(order, orientation, np.zeros((len(order), 2), np.int64))

    def _batches(self, order: Index, orientation: Index, shift: np.ndarray) -> Iterator[Batch]:
        batch_size = len(self._buffer)
        for start in range(0, len(order), batch_size):
            rows = slice(start, min(start + batch_size, len(order)))
            chosen = order[rows]
            x = self._buffer[: len(chosen)]
            mapkernels.gather(
                self._maps,
                self._index[chosen],
                orientation[rows],
                shift[rows],
                self._mean,
                self._std,
                x,
                n_threads=self._n_threads,
            )
            yield Batch(x, self._scaled[chosen], self._index[chosen])


@dataclass(frozen=True)
class SplitLoaders:
    """The three parts of a suite, ready for a network.

    `causes` lists everything that decides what they hold, one key a cause, so that two can be compared.
    """

    train: MapLoader
    valid: MapLoader
    test: MapLoader
    channels: int
    map_size: int
    inferred: tuple[int, ...]
    causes: Mapping[str, str]


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
    n_threads: int = 1,
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
    batch_size, n_threads : int

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
    maps = [entry.maps for entry in log_maps.values()]
    for field, entry in log_maps.items():
        check_counts(entry.maps, theta, field)

    def load(simulations: Simulations) -> MapLoader:
        return MapLoader(
            maps,
            theta,
            simulations,
            normalization,
            batch_size=batch_size,
            inferred=inferred,
            n_threads=n_threads,
        )

    return SplitLoaders(
        train=load(split.train),
        valid=load(split.valid),
        test=load(split.test),
        channels=len(maps),
        map_size=maps[0].shape[-1],
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
            "run `kedro run --pipeline preprocess`"
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
            "run `kedro run --pipeline preprocess`"
        )
