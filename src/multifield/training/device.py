"""Device of a training, and transfer of batches to it."""

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from shutil import which
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from multifield.config.training import TrainingConfig
from multifield.core.arrays import Index
from multifield.data.loader import Batch, BatchOptions
from multifield.maps.memory import Allocate, aligned_empty


def choose_device(name: str) -> torch.device:
    """Choose the device for a configuration.

    Parameters
    ----------
    name : str
        ``cpu``, ``cuda`` or ``mps``; or ``auto``, which takes CUDA, else MPS, else the CPU.

    Returns
    -------
    device : torch.device
        Available device.

    Raises
    ------
    ValueError
        If the device is unknown or not available. A run never changes silently to another device.
    """
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return torch.device(next(device for device, is_there in available.items() if is_there))
    if name not in available:
        raise ValueError(f"device: Expected auto, {', '.join(available)}, got {name!r}.")
    if not available[name]:
        raise ValueError(f"device: Expected one that PyTorch finds here, got {name!r}.")
    return torch.device(name)


def choose_compile(name: Literal["auto", "never", "always"], device: torch.device) -> bool:
    """Decide whether to compile the training step with torch.compile.

    Parameters
    ----------
    name : {"auto", "never", "always"}
        ``auto`` compiles on CUDA if Triton and a C compiler are installed. On a CPU, compiled steps
        of 256-pixel maps are slower (float32: 17 instead of 22 maps per second), and compilation
        takes a minute.
    device : torch.device
        Device of the training.

    Returns
    -------
    compiles : bool
        Whether to compile.
    """
    if name == "auto":
        return device.type == "cuda" and find_spec("triton") is not None and _has_c_compiler()
    return name == "always"


def _has_c_compiler() -> bool:
    """Search for a C compiler where Triton does."""
    return "CC" in os.environ or any(which(name) is not None for name in ("gcc", "clang"))


@contextmanager
def torch_threads(n_threads: int) -> Iterator[None]:
    """Set PyTorch's number of CPU threads within a context.

    Parameters
    ----------
    n_threads : int
        Number of threads. 0 keeps PyTorch's setting.

    Yields
    ------
    None
        The former number is restored at the end.
    """
    before = torch.get_num_threads()
    if n_threads:
        torch.set_num_threads(n_threads)
    try:
        yield
    finally:
        if n_threads:
            torch.set_num_threads(before)


def loader_options(config: TrainingConfig) -> BatchOptions:
    """Return the loader's options for the device of a configuration.

    The device is chosen where batches are made, because the driver of a GPU worker may have no GPU.

    Parameters
    ----------
    config : TrainingConfig
        Settings of the training.

    Returns
    -------
    options : BatchOptions
        Number of threads, prefetch depth and memory of batches.
    """
    return BatchOptions(
        n_threads=config.loader_threads,
        prefetch=config.prefetch,
        allocate=partial(_allocate_for, config.device),
    )


def _allocate_for(name: str, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    return batch_allocator(choose_device(name))(shape, dtype)


def batch_allocator(device: torch.device) -> Allocate:
    """Choose the memory of batches: page-locked for CUDA, so that copies are asynchronous."""
    return _allocate_page_locked if device.type == "cuda" else aligned_empty


def _allocate_page_locked(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    kind = torch.from_numpy(np.empty(0, dtype)).dtype
    array: np.ndarray = torch.empty(shape, dtype=kind, pin_memory=True).numpy()
    return array


@dataclass(frozen=True)
class DeviceBatch:
    """Batch of maps and their parameters on the device of the network.

    Attributes
    ----------
    x : (B, C, L, L) float32
        Standardized maps, channels last; or (B, F), features of maps.
    theta : (B, P) float32
        Parameters, scaled to [0, 1].
    index : (B,) int64
        Numbers of the maps in their file, on the CPU.
    maps_per_set : int
        Number of consecutive maps that show the same set of fields. 0 if all show all fields.
    left_out : (B,) int64, optional
        Member of the network that leaves out the simulation of each map; see `Folds`. By default
        the network has one member, which learns from all simulations.
    """

    x: Tensor
    theta: Tensor
    index: Index
    maps_per_set: int = 0
    left_out: Tensor | None = None

    def infer(self, network: nn.Module, x: Tensor) -> Tensor:
        """Return the outputs of a network for maps of these simulations, or their features."""
        outputs: Tensor = network(x) if self.left_out is None else network(x, self.left_out)
        return outputs


Batches = Generator[Batch, None, None] | Generator[DeviceBatch, None, None]


@runtime_checkable
class BatchSource(Protocol):
    """Source of batches, such as `MapLoader` and `DeviceMaps`."""

    batch_size: int

    def __len__(self) -> int:
        """Return the number of maps."""

    def random_epoch(
        self, seed: int, epoch: int, *, flips: bool, shifts: bool, first_batch: int = 0
    ) -> Batches:
        """Yield every map once, in random order."""

    def ordered(self, orientations: Sequence[int]) -> Batches:
        """Yield every map in each orientation."""


def place(batch: Batch | DeviceBatch, device: torch.device) -> DeviceBatch:
    """Transfer a batch to a device.

    A copy from page-locked memory may still be running on the device's current stream afterwards;
    see `on_device`.
    """
    if isinstance(batch, DeviceBatch):
        return batch
    x = torch.from_numpy(batch.x)
    if x.dtype == torch.uint16:  # NumPy has no bfloat16
        x = x.view(torch.bfloat16)
    # transfer contiguous data, and change the memory format on the device
    x = x.to(device, non_blocking=device.type == "cuda")
    x = x.to(torch.float32, memory_format=torch.channels_last)
    return DeviceBatch(x, torch.from_numpy(batch.theta).to(device), batch.index)


def on_device(batches: Batches, device: torch.device) -> Generator[DeviceBatch, None, None]:
    """Transfer batches to a device one after another.

    The loader reuses the buffer of a batch when the next one is requested. That happens after the
    copy of the batch has finished. The copy is asynchronous and ends before the network's step.

    Parameters
    ----------
    batches : generator of Batch or DeviceBatch
        Batches of a `MapLoader`, or of a `DeviceMaps`, which are on the device already. It is
        closed with this generator.
    device : torch.device
        Device of the network.

    Yields
    ------
    batch : DeviceBatch
        Batch on the device.
    """
    with closing(batches):
        for batch in batches:
            placed = place(batch, device)
            wait = record_copies(device)
            try:
                yield placed
            finally:
                wait()


def record_copies(device: torch.device) -> Callable[[], None]:
    """Return a function that waits for the copies to a device that are running now."""
    if device.type != "cuda":
        return lambda: None
    event = torch.cuda.Event()  # type: ignore[no-untyped-call]
    event.record(torch.cuda.current_stream(device))
    return event.synchronize
