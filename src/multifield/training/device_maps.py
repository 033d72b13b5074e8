"""Maps that live where the network is, and are augmented there.

A GPU waits for batches that cross from the CPU; a training set in half precision (1.8 GB a field of the
latin hypercube) fits beside the network on most of them. Losses on an H100 were those of the CPU to 2e-6,
from resident maps and from streamed ones; how much time it saves was not measured.
"""

import logging
import time
from abc import abstractmethod
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import Literal, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from multifield.core.arrays import Index
from multifield.data import MapLoader, SplitLoaders
from multifield.data.augmentation import EpochPlan, draw_epoch, ordered_epoch
from multifield.models.network import Network
from multifield.training.device import DeviceBatch, on_device
from multifield.training.precision import set_numerics
from multifield.training.shown_fields import BatchSource, RandomFields

BYTES_PER_PIXEL = 2

logger = logging.getLogger(__name__)

Resident = Literal["auto", "never", "always"]


class _OnDevice:
    """What a loader serves, kept on a device; gives batches as the loader plans them.

    Parameters
    ----------
    loader : MapLoader
        All its maps are read once, in order.
    device : torch.device
    keep : callable
        Called with the maps of each batch on the device, (B, C, L, L).
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
        """Give what the network gets of these rows, of which `order` is on the device."""

    def __len__(self) -> int:
        """Count the maps, each once."""
        return len(self._index)

    def random_epoch(
        self, seed: int, epoch: int, *, flips: bool, shifts: bool, first_batch: int = 0
    ) -> Generator[DeviceBatch, None, None]:
        """Give every map once, as `MapLoader.random_epoch` draws them."""
        plan = draw_epoch(len(self), self._n_pixels, seed, epoch, flips=flips, shifts=shifts)
        return self._batches(plan, first_batch)

    def ordered(self, orientations: Sequence[int]) -> Generator[DeviceBatch, None, None]:
        """Give every map in each of the orientations, in the order of `MapLoader.ordered`."""
        return self._batches(ordered_epoch(len(self), orientations), 0)

    def _batches(self, plan: EpochPlan, first_batch: int) -> Generator[DeviceBatch, None, None]:
        numbers = plan.batch_numbers(self.batch_size, first_batch)
        return (self._make_batch(plan.batch(number, self.batch_size)) for number in numbers)

    def _make_batch(self, rows: EpochPlan) -> DeviceBatch:
        order = torch.from_numpy(rows.order).to(self._device)
        return DeviceBatch(self._take(order, rows), self._theta[order], self._index[rows.order])


class DeviceMaps(_OnDevice):
    """The maps of a loader on a device, in half precision; gives the loader's batches, rounded once.

    Parameters
    ----------
    loader : MapLoader
        Its maps are normalized by it, brought to the device once and rounded to float16 there. All of
        them, also where the loader makes a part of each batch, as this does then too.
    device : torch.device

    Raises
    ------
    ValueError
        If a normalized pixel is beyond the range of float16.
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
    """The features of a loader's maps on a device, for a network that does not learn them.

    They are computed once, of each map as it lies in its file: for such a network they are the same in all
    orientations, and nearly so for periodic shifts, which are left out.

    Parameters
    ----------
    loader : MapLoader
        Its maps are read once.
    network : Network
        Of which `learns_features` is false, on the device.
    device : torch.device
    """

    def __init__(self, loader: MapLoader, network: Network, device: torch.device) -> None:
        features: list[Tensor] = []
        # in the precision in which networks are judged and asked, whatever that of training
        with set_numerics("float32"), torch.no_grad():
            super().__init__(loader, device, lambda x: features.append(network.features(x)))
        self._features = torch.cat(features)  # (M, F)

    def _take(self, order: Tensor, rows: EpochPlan) -> Tensor:
        return self._features[order]


class Sources(NamedTuple):
    """Where the batches of the three parts of a suite come from."""

    train: BatchSource
    valid: BatchSource
    test: BatchSource


_described: WeakKeyDictionary[MapLoader, dict[tuple[type, torch.device], DeviceFeatures]] = (
    WeakKeyDictionary()
)


def keep_features(data: SplitLoaders, network: Network, device: torch.device) -> Sources:
    """Give the features of the three parts of a suite, for a network that does not learn them.

    They are computed when a network first asks for them, and kept as long as the loaders: the trials of a
    study share them.
    """
    return Sources(
        *(_describe(each, network, device) for each in (data.train, data.valid, data.test))
    )


def _describe(loader: MapLoader, network: Network, device: torch.device) -> DeviceFeatures:
    kept = _described.setdefault(loader, {})
    key = type(network), device  # all that features of a loader's maps depend on
    if key not in kept:
        start = time.monotonic()
        kept[key] = DeviceFeatures(loader, network, device)
        logger.info("Statistics of %d maps, once: %.1f s", len(loader), time.monotonic() - start)
    return kept[key]


def choose_sources(data: SplitLoaders, resident: Resident, device: torch.device) -> Sources:
    """Bring the three parts of a suite to the device, or leave them to be streamed from the CPU.

    Where the network shall learn to infer from any of the fields, each map is then shown in a random set.

    Parameters
    ----------
    data : SplitLoaders
    resident : {"auto", "never", "always"}
        ``auto`` brings them to CUDA if they take no more than half of what is free there: the other half
        is for what a network keeps for its gradient, which grows with its width and is known only when
        it runs. On the CPU and on MPS, which shares the CPU's memory, nothing is gained and ``auto``
        streams.
    device : torch.device
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
    """Count what the maps of these loaders take on a device."""
    return sum(BYTES_PER_PIXEL * len(each) * each.channels * each.map_size**2 for each in loaders)


def _oriented_positions(n_pixels: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Row and column from which each pixel of an oriented map comes, (8, L * L) each."""
    position = torch.arange(n_pixels**2, device=device).view(n_pixels, n_pixels)
    turned = [torch.rot90(position, quarter_turns) for quarter_turns in range(4)]
    both = [each for rotated in turned for each in (rotated, rotated.flip(0))]
    positions = torch.stack(both).flatten(1)
    return positions // n_pixels, positions % n_pixels


def _check_range(maps: Tensor) -> None:
    if not torch.isfinite(maps).all():
        raise ValueError(
            "training.resident: expected normalized maps within 65504 standard deviations, which "
            "float16 holds, got a pixel beyond; set it to never"
        )
