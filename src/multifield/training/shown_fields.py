"""Batches that show a network some of the fields.

A hidden field is 0, the mean of standardized maps. C additional channels are 1 or 0 and tell which
fields are shown. For periodic convolutions they act as a bias that depends on the set.
"""

from collections.abc import Generator, Sequence
from contextlib import closing

import numpy as np
import torch

from multifield import camels
from multifield.core.arrays import Theta
from multifield.data import MapLoader
from multifield.data.field_sets import Shown, draw_field_sets
from multifield.training.device import Batches, BatchSource, DeviceBatch, on_device

ORDERED_EPOCH = 2**32  # larger than any epoch of training: sets of validation and test maps


class RandomFields:
    """Maps that show random sets of their fields, new ones each epoch.

    The sets depend on (seed, epoch) alone, like order and orientations, so an epoch can resume at
    any batch. In ordered batches, as for the validation loss, each map always shows the same set.

    Parameters
    ----------
    source : MapLoader or DeviceMaps
        Source of batches with all fields.
    channels : int
        Number of its fields, C. Batches have 2 C channels.
    maps_per_set : int
        Number of consecutive maps that show the same set. So the loss can average each set
        separately, while batch normalization sees several sets.
    device : torch.device
        Device of the network.

    Raises
    ------
    ValueError
        If the batch size is not a multiple of `maps_per_set`.
    """

    def __init__(
        self, source: BatchSource, channels: int, maps_per_set: int, device: torch.device
    ) -> None:
        if source.batch_size % maps_per_set:
            raise ValueError(
                f"maps_per_set: Expected a divisor of batch_size={source.batch_size}, "
                f"got {maps_per_set}."
            )
        self._source = source
        self._channels = channels
        self._maps_per_set = maps_per_set
        self._device = device
        self.batch_size = source.batch_size

    def __len__(self) -> int:
        """Return the number of maps."""
        return len(self._source)

    def random_epoch(
        self, seed: int, epoch: int, *, flips: bool, shifts: bool, first_batch: int = 0
    ) -> Generator[DeviceBatch, None, None]:
        """Yield every map once in the source's random order, each with a random set."""
        drawn = self._source.random_epoch(
            seed, epoch, flips=flips, shifts=shifts, first_batch=first_batch
        )
        shown = self._draw(len(self), seed, epoch)[first_batch * self.batch_size :]
        return _show(drawn, shown, self._device, self._maps_per_set)

    def ordered(self, orientations: Sequence[int]) -> Generator[DeviceBatch, None, None]:
        """Yield every map in each orientation."""
        shown = self._draw(len(self) * len(orientations), 0, ORDERED_EPOCH)
        return _show(self._source.ordered(orientations), shown, self._device, self._maps_per_set)

    def _draw(self, n_maps: int, seed: int, epoch: int) -> Shown:
        return draw_field_sets(n_maps, self._channels, seed, epoch, maps_per_set=self._maps_per_set)


class FixedFields:
    """Maps of a loader in order, all with the same set of fields.

    Parameters
    ----------
    loader : MapLoader
        Loader with all fields.
    shown : sequence of bool
        Whether each field of the loader is shown.
    device : torch.device
        Device of the network.

    Raises
    ------
    ValueError
        If the length of `shown` is not the number of fields.
    """

    def __init__(self, loader: MapLoader, shown: Sequence[bool], device: torch.device) -> None:
        if len(shown) != loader.channels:
            raise ValueError(
                f"shown: Expected one flag per field, {loader.channels}, got {len(shown)}."
            )
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
        """Columns of `theta` that are inferred."""
        return self._loader.inferred

    @property
    def space(self) -> camels.ParameterSpace:
        """Parameters of the columns of `theta`."""
        return self._loader.space

    @property
    def maps_per_simulation(self) -> int:
        """Number of maps per simulation."""
        return self._loader.maps_per_simulation

    def ordered(self, orientations: Sequence[int]) -> Generator[DeviceBatch, None, None]:
        """Yield every map in each orientation."""
        shown = np.repeat(self._shown, len(self._loader) * len(orientations), axis=0)
        return _show(self._loader.ordered(orientations), shown, self._device)


def show_fields(batch: DeviceBatch, shown: Shown, maps_per_set: int = 0) -> DeviceBatch:
    """Hide fields and add channels that tell which are shown: C channels become 2 C."""
    planes = torch.from_numpy(shown).to(batch.x.device, batch.x.dtype)[:, :, None, None]
    x = torch.cat((batch.x * planes, planes.expand_as(batch.x)), dim=1)
    x = x.contiguous(memory_format=torch.channels_last)
    return DeviceBatch(x, batch.theta, batch.index, maps_per_set)


def _show(
    batches: Batches,
    shown: Shown,
    device: torch.device,
    maps_per_set: int = 0,
) -> Generator[DeviceBatch, None, None]:
    """Show fields of consecutive rows. The batches are closed with this generator."""
    start = 0
    with closing(on_device(batches, device)) as placed:
        for batch in placed:
            rows = slice(start, start + len(batch.index))
            yield show_fields(batch, shown[rows], maps_per_set)
            start = rows.stop
