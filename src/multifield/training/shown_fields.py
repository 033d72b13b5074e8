"""Batches of which a network is shown some fields alone, and told which.

A field that is not shown is 0, the mean of standardized maps; and C channels more say, with 1 or 0 in every
pixel, which fields are shown. To periodic convolutions these are a bias that depends on the set.
"""

from collections.abc import Generator, Sequence
from contextlib import closing
from typing import Protocol, runtime_checkable

import numpy as np
import torch

from multifield.core.arrays import Theta
from multifield.data import Batch, MapLoader
from multifield.data.field_sets import Shown, draw_field_sets
from multifield.training.device import DeviceBatch, on_device

ORDERED_EPOCH = 2**32  # beyond every epoch of a training: the sets of validation and test maps


@runtime_checkable
class BatchSource(Protocol):
    """Gives batches, as `MapLoader` and `DeviceMaps` do."""

    batch_size: int

    def __len__(self) -> int:
        """Count the maps, each once."""

    def random_epoch(
        self, seed: int, epoch: int, *, flips: bool, shifts: bool, first_batch: int = 0
    ) -> Generator[Batch, None, None] | Generator[DeviceBatch, None, None]:
        """Give every map once, shuffled."""

    def ordered(
        self, orientations: Sequence[int]
    ) -> Generator[Batch, None, None] | Generator[DeviceBatch, None, None]:
        """Give every map in each of the orientations."""


class RandomFields:
    """Maps that are shown in random sets of their fields, others each epoch.

    The sets are drawn from (seed, epoch) alone, as order and orientations are, so that an epoch can be taken
    up at any batch. In order, as for the validation loss, each map has the same set every time.

    Parameters
    ----------
    source : MapLoader or DeviceMaps
    channels : int
        Its fields, C; batches have 2 C channels.
    maps_per_set : int
        Maps of a batch that follow each other and are shown in the same set: a loss that averages over maps
        can then do so set by set, while batch normalization sees several.
    device : torch.device
        Where batches go.

    Raises
    ------
    ValueError
        If a batch is no whole number of sets.
    """

    def __init__(
        self, source: BatchSource, channels: int, maps_per_set: int, device: torch.device
    ) -> None:
        if source.batch_size % maps_per_set:
            raise ValueError(
                f"maps_per_set: expected a divisor of batch_size, {source.batch_size}, got {maps_per_set}"
            )
        self._source = source
        self._channels = channels
        self._maps_per_set = maps_per_set
        self._device = device
        self.batch_size = source.batch_size

    def __len__(self) -> int:
        """Count the maps, each once."""
        return len(self._source)

    def random_epoch(
        self, seed: int, epoch: int, *, flips: bool, shifts: bool, first_batch: int = 0
    ) -> Generator[DeviceBatch, None, None]:
        """Give every map once, as the source draws them, each with a random set."""
        drawn = self._source.random_epoch(
            seed, epoch, flips=flips, shifts=shifts, first_batch=first_batch
        )
        shown = self._draw(len(self), seed, epoch)[first_batch * self.batch_size :]
        return _show(drawn, shown, self._device, self._maps_per_set)

    def ordered(self, orientations: Sequence[int]) -> Generator[DeviceBatch, None, None]:
        """Give every map in each of the orientations."""
        shown = self._draw(len(self) * len(orientations), 0, ORDERED_EPOCH)
        return _show(self._source.ordered(orientations), shown, self._device, self._maps_per_set)

    def _draw(self, n_maps: int, seed: int, epoch: int) -> Shown:
        return draw_field_sets(n_maps, self._channels, seed, epoch, maps_per_set=self._maps_per_set)


class FixedFields:
    """The maps of a loader, in order, all of which are shown in one set of fields.

    Parameters
    ----------
    loader : MapLoader
    shown : sequence of bool
        One a field of the loader.
    device : torch.device
        Where batches go.

    Raises
    ------
    ValueError
        If there are not as many as fields.
    """

    def __init__(self, loader: MapLoader, shown: Sequence[bool], device: torch.device) -> None:
        if len(shown) != loader.channels:
            raise ValueError(f"shown: expected one of {loader.channels} fields, got {len(shown)}")
        self._loader = loader
        self._shown = np.array([shown], dtype=np.bool_)
        self._device = device

    @property
    def theta(self) -> Theta:
        """Physical parameters of each map."""
        theta: Theta = self._loader.theta
        return theta

    @property
    def inferred(self) -> tuple[int, ...]:
        """Columns of `theta` that act in the suite."""
        return self._loader.inferred

    def ordered(self, orientations: Sequence[int]) -> Generator[DeviceBatch, None, None]:
        """Give every map in each of the orientations."""
        shown = np.repeat(self._shown, len(self._loader) * len(orientations), axis=0)
        return _show(self._loader.ordered(orientations), shown, self._device)


def show_fields(batch: DeviceBatch, shown: Shown, maps_per_set: int = 0) -> DeviceBatch:
    """Hide the other fields of each map and say which are shown: (B, C, L, L) becomes (B, 2 C, L, L)."""
    planes = torch.from_numpy(shown).to(batch.x.device, batch.x.dtype)[:, :, None, None]
    x = torch.cat((batch.x * planes, planes.expand_as(batch.x)), dim=1)
    x = x.contiguous(memory_format=torch.channels_last)
    return DeviceBatch(x, batch.theta, batch.index, maps_per_set)


def _show(
    batches: Generator[Batch, None, None] | Generator[DeviceBatch, None, None],
    shown: Shown,
    device: torch.device,
    maps_per_set: int = 0,
) -> Generator[DeviceBatch, None, None]:
    """Show rows of batches that follow each other; the batches are closed with this generator."""
    start = 0
    with closing(on_device(batches, device)) as placed:
        for batch in placed:
            rows = slice(start, start + len(batch.index))
            yield show_fields(batch, shown[rows], maps_per_set)
            start = rows.stop
