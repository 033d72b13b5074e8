"""Where a network is trained, and how batches get there."""

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from shutil import which
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from multifield.config.training import TrainingConfig
from multifield.core.arrays import Index
from multifield.data.loader import Batch, BatchOptions
from multifield.maps.memory import Allocate, aligned_empty


def choose_device(name: str) -> torch.device:
    """Find the device that a configuration asks for.

    Parameters
    ----------
    name : str
        ``auto`` takes CUDA, else MPS, else the CPU; ``cpu``, ``cuda`` or ``mps`` insist.

    Returns
    -------
    device : torch.device

    Raises
    ------
    ValueError
        If the device is unknown, or not there: a run never goes quietly to another one.
    """
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return torch.device(next(device for device, is_there in available.items() if is_there))
    if name not in available:
        raise ValueError(f"device: expected auto, {', '.join(available)}; got {name!r}")
    if not available[name]:
        raise ValueError(f"device: expected one that PyTorch finds here, got {name!r}")
    return torch.device(name)


def choose_compile(name: Literal["auto", "never", "always"], device: torch.device) -> bool:
    """Say whether torch.compile shall make the training step.

    Parameters
    ----------
    name : {"auto", "never", "always"}
        ``auto`` compiles for CUDA where Triton and a C compiler are installed, both needed there. On a CPU it
        made a step of 256-pixel maps slower (float32: 17 maps a second instead of 22) and took a minute to
        begin.
    device : torch.device
    """
    if name == "auto":
        return device.type == "cuda" and find_spec("triton") is not None and _has_c_compiler()
    return name == "always"


def _has_c_compiler() -> bool:
    """Look where Triton looks."""
    return "CC" in os.environ or any(which(name) is not None for name in ("gcc", "clang"))


@contextmanager
def torch_threads(n_threads: int) -> Iterator[None]:
    """Let PyTorch use so many threads, 0 for its own choice; what it had comes back afterwards."""
    before = torch.get_num_threads()
    if n_threads:
        torch.set_num_threads(n_threads)
    try:
        yield
    finally:
        if n_threads:
            torch.set_num_threads(before)


def loader_options(config: TrainingConfig) -> BatchOptions:
    """Say how a loader shall make batches for the device of a configuration.

    The device is looked for where batches are made: the driver of a GPU worker may have none.
    """
    return BatchOptions(
        n_threads=config.loader_threads,
        prefetch=config.prefetch,
        allocate=partial(_allocate_for, config.device),
    )


def _allocate_for(name: str, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    return batch_allocator(choose_device(name))(shape, dtype)


def batch_allocator(device: torch.device) -> Allocate:
    """Choose the memory of batches: page-locked for CUDA, which copies from it while the CPU goes on."""
    return _allocate_page_locked if device.type == "cuda" else aligned_empty


def _allocate_page_locked(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    kind = torch.from_numpy(np.empty(0, dtype)).dtype
    array: np.ndarray = torch.empty(shape, dtype=kind, pin_memory=True).numpy()
    return array


@dataclass(frozen=True)
class DeviceBatch:
    """Some maps and their parameters, where the network is."""

    x: Tensor  # (B, C, L, L) float32, channels last; or (B, F), features of maps
    theta: Tensor  # (B, P) float32, scaled to [0, 1]
    index: Index  # (B,) numbers of the maps in their file, on the CPU
    maps_per_set: int = 0  # that follow each other are shown in one set of fields; 0: all are


def place(batch: Batch | DeviceBatch, device: torch.device) -> DeviceBatch:
    """Bring a batch to a device.

    A copy from page-locked memory may still be under way on the device's current stream when this
    returns; see `on_device`.
    """
    if isinstance(batch, DeviceBatch):
        return batch
    x = torch.from_numpy(batch.x)
    if x.dtype == torch.uint16:  # NumPy has no bfloat16
        x = x.view(torch.bfloat16)
    # to the device as it is, and there into the form that convolutions like: what crosses is contiguous
    x = x.to(device, non_blocking=device.type == "cuda")
    x = x.to(torch.float32, memory_format=torch.channels_last)
    return DeviceBatch(x, torch.from_numpy(batch.theta).to(device), batch.index)


def on_device(
    batches: Generator[Batch, None, None] | Generator[DeviceBatch, None, None], device: torch.device
) -> Generator[DeviceBatch, None, None]:
    """Bring batches to a device one after another.

    The next batch is asked for, which lets the loader write into the buffer of this one, only when the
    copy to the device has ended. The copy itself is asynchronous, so the wait is over before the network
    has done its step, and on the CPU there is none.

    Parameters
    ----------
    batches : generator of Batch or DeviceBatch
        Of a `MapLoader`, or of a `DeviceMaps`, whose batches are there already. Closed with this one.
    device : torch.device

    Yields
    ------
    batch : DeviceBatch
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
    """Give a function that waits until the copies to a device have ended that are under way now."""
    if device.type != "cuda":
        return lambda: None
    event = torch.cuda.Event()  # type: ignore[no-untyped-call]
    event.record(torch.cuda.current_stream(device))
    return event.synchronize
