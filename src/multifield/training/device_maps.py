"""Maps that are stored on the device of the network, and augmented there.

A GPU waits for batches from the CPU. In half precision, a training set (1.8 GB per field of the
latin hypercube) fits beside the network on most GPUs. On an H100, losses agreed with those of the
CPU to 2e-6. The time it saves was not measured.
"""

from abc import abstractmethod
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import Literal, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from multifield.core.arrays import Index
from multifield.core.progress import progress
from multifield.data import MapLoader, SplitLoaders
from multifield.data.augmentation import EpochPlan, draw_epoch, ordered_epoch
from multifield.models.network import Network
from multifield.training.device import BatchSource, DeviceBatch, on_device
from multifield.training.precision import set_numerics
from multifield.training.shown_fields import RandomFields

BYTES_PER_PIXEL = 2

Resident = Literal["auto", "never", "always"]


class _OnDevice:
    """Data of a loader on a device, served in the loader's batches.

    Parameters
    ----------
    loader : MapLoader
        Loader whose maps are read once, in order.
    device : torch.device
        Device of the network.
    keep : callable
        Function that stores the maps of each batch on the device, (B, C, L, L).
    """

    def __init__(
        self, loader: MapLoader, device: torch.device, keep: Callable[[Tensor], object]
    ) -> None:
        self.batch_size, self._n_pixels = loader.batch_size, loader.map_size
        self._device = device
        thetas: list[Tensor] = []
        indices: list[Index] = []
        with closing(on_device(loader.ordered([0]), device)) as batches:
            for batch in batches:
                keep(batch.x)
                thetas.append(batch.theta)
                indices.append(batch.index)
        self._theta, self._index = torch.cat(thetas), np.concatenate(indices)

    @abstractmethod
    def _take(self, order: Tensor, rows: EpochPlan) -> Tensor:
        """Return the network's input for these rows. `order` is on the device."""

    def __len__(self) -> int:
        """Return the number of maps."""
        return len(self._index)

    def random_epoch(
        self, seed: int, epoch: int, *, flips: bool, shifts: bool, first_batch: int = 0
    ) -> Generator[DeviceBatch, None, None]:
        """Yield every map once, in the random order of `MapLoader.random_epoch`."""
        plan = draw_epoch(len(self), self._n_pixels, seed, epoch, flips=flips, shifts=shifts)
        return self._batches(plan, first_batch)

    def ordered(self, orientations: Sequence[int]) -> Generator[DeviceBatch, None, None]:
        """Yield every map in each orientation, in the order of `MapLoader.ordered`."""
        return self._batches(ordered_epoch(len(self), orientations), 0)

    def _batches(self, plan: EpochPlan, first_batch: int) -> Generator[DeviceBatch, None, None]:
        numbers = plan.batch_numbers(self.batch_size, first_batch)
        return (self._make_batch(plan.batch(number, self.batch_size)) for number in numbers)

    def _make_batch(self, rows: EpochPlan) -> DeviceBatch:
        order = torch.from_numpy(rows.order).to(self._device)
        return DeviceBatch(self._take(order, rows), self._theta[order], self._index[rows.order])


class DeviceMaps(_OnDevice):
    """Maps of a loader on a device in half precision, served as the loader's batches.

    Parameters
    ----------
    loader : MapLoader
        Loader that normalizes the maps. They are transferred once and rounded to float16 on the
        device. All maps are stored, even if the loader makes only a part of each batch.
    device : torch.device
        Device of the network.

    Raises
    ------
    ValueError
        If a normalized pixel is outside the range of float16.
    """

    def __init__(self, loader: MapLoader, device: torch.device) -> None:
        shape = (len(loader), loader.channels, loader.map_size**2)
        self._maps = torch.empty(shape, dtype=torch.float16, device=device)
        left = iter(torch.split(self._maps, loader.batch_size))

        def keep(x: Tensor) -> None:
            rows = next(left)
            rows.copy_(x.flatten(2))
            _check_range(rows)

        super().__init__(loader, device, keep)
        self._rows, self._columns = _oriented_positions(loader.map_size, device)

    def _take(self, order: Tensor, rows: EpochPlan) -> Tensor:
        orientation, shift = (
            torch.from_numpy(draws).to(self._device) for draws in (rows.orientation, rows.shift)
        )
        row = (self._rows[orientation] - shift[:, :1]) % self._n_pixels  # (B, L * L)
        column = (self._columns[orientation] - shift[:, 1:]) % self._n_pixels
        source = (row * self._n_pixels + column)[:, None].expand(-1, self._maps.shape[1], -1)
        x = self._maps[order].gather(2, source)
        x = x.view(*x.shape[:2], self._n_pixels, self._n_pixels)
        return x.to(torch.float32, memory_format=torch.channels_last)


class DeviceFeatures(_OnDevice):
    """Features of a loader's maps on a device, for a network that does not learn features.

    They are computed once, from each map in its stored orientation. The features of such a network
    do not depend on the orientation, and hardly on periodic shifts, which are not applied.

    Parameters
    ----------
    loader : MapLoader
        Loader whose maps are read once.
    network : Network
        Network on the device, with `learns_features` False.
    device : torch.device
        Device of the network.
    """

    def __init__(self, loader: MapLoader, network: Network, device: torch.device) -> None:
        features: list[Tensor] = []
        # the precision of evaluation, independent of that of training
        with (
            set_numerics("float32"),
            torch.no_grad(),
            progress("statistics", len(loader), "maps") as advance,
        ):

            def keep(x: Tensor) -> None:
                features.append(network.features(x))
                advance(len(x))

            super().__init__(loader, device, keep)
        self._features = torch.cat(features)  # (M, F)

    def _take(self, order: Tensor, rows: EpochPlan) -> Tensor:
        return self._features[order]


class Sources(NamedTuple):
    """Batches of the training, validation and test part.

    Attributes
    ----------
    train : BatchSource
        Source of training batches.
    valid : BatchSource
        Source of validation batches.
    test : BatchSource
        Source of test batches.
    """

    train: BatchSource
    valid: BatchSource
    test: BatchSource


_described: WeakKeyDictionary[MapLoader, dict[tuple[type, torch.device], DeviceFeatures]] = (
    WeakKeyDictionary()
)


def keep_features(data: SplitLoaders, network: Network, device: torch.device) -> Sources:
    """Return the features of the three parts of a suite, for a network that does not learn them.

    They are computed on first use and cached as long as the loaders. The trials of a study share
    them.
    """
    return Sources(
        *(_describe(each, network, device) for each in (data.train, data.valid, data.test))
    )


def _describe(loader: MapLoader, network: Network, device: torch.device) -> DeviceFeatures:
    kept = _described.setdefault(loader, {})
    key = type(network), device  # features of a loader's maps depend on nothing else
    if key not in kept:
        kept[key] = DeviceFeatures(loader, network, device)
    return kept[key]


def choose_sources(data: SplitLoaders, resident: Resident, device: torch.device) -> Sources:
    """Transfer the three parts of a suite to the device, or stream them from the CPU.

    If the network learns to infer from any set of fields, each map shows a random set.

    Parameters
    ----------
    data : SplitLoaders
        Training, validation and test maps.
    resident : {"auto", "never", "always"}
        ``auto`` transfers maps to CUDA if they fit into half of the free memory. The other half is
        for the network's activations, whose size is known only when it runs. On the CPU and on MPS,
        which shares the CPU's memory, ``auto`` streams.
    device : torch.device
        Device of the network.

    Returns
    -------
    sources : Sources
        Sources of batches for the three parts.
    """
    loaders = (data.train, data.valid, data.test)
    sources: tuple[BatchSource, ...] = loaders
    if resident == "always" or (resident == "auto" and _fit(loaders, device)):
        sources = tuple(DeviceMaps(loader, device) for loader in loaders)
    if data.maps_per_set:
        shown = (data.channels, data.maps_per_set, device)
        return Sources(*(RandomFields(source, *shown) for source in sources))
    return Sources(*sources)


def _fit(loaders: Sequence[MapLoader], device: torch.device) -> bool:
    if device.type != "cuda":
        return False
    free: int = torch.cuda.mem_get_info(device)[0]
    return count_bytes(loaders) <= free // 2


def count_bytes(loaders: Sequence[MapLoader]) -> int:
    """Return the memory that the maps of these loaders need on a device [bytes]."""
    return sum(BYTES_PER_PIXEL * len(each) * each.channels * each.map_size**2 for each in loaders)


def _oriented_positions(n_pixels: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return row and column of the source of each pixel of an oriented map, (8, L * L) each."""
    position = torch.arange(n_pixels**2, device=device).view(n_pixels, n_pixels)
    turned = [torch.rot90(position, quarter_turns) for quarter_turns in range(4)]
    both = [each for rotated in turned for each in (rotated, rotated.flip(0))]
    positions = torch.stack(both).flatten(1)
    return positions // n_pixels, positions % n_pixels


def _check_range(maps: Tensor) -> None:
    if not torch.isfinite(maps).all():
        raise ValueError(
            "training.resident: Expected normalized pixels within 65504, the range of float16, got "
            "a larger one. Set training.resident=never."
        )
