"""Clock of a device, and the speed that it can reach."""

import time

import torch

from multifield.training.precision import conv_dtype, set_numerics


def gpu(device: torch.device) -> str:
    """Return the name of a GPU; empty for a CPU."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else ""


def synchronize(device: torch.device) -> None:
    """Wait for pending work of a GPU."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class Clock:
    """Clock of the time between calls, including pending work of the device."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.split()

    def split(self) -> float:
        """Return the seconds since the last call."""
        synchronize(self._device)
        now = time.perf_counter()
        before, self._last = getattr(self, "_last", now), now
        return now - before


def measure_peak(device: torch.device, precision: str) -> float:
    """Measure operations per second of a product of large matrices, an upper limit for networks."""
    n = 8192 if device.type == "cuda" else 2048
    dtype = conv_dtype(precision)  # type: ignore[arg-type]
    a, b = (torch.randn(n, n, device=device).to(dtype) for _ in range(2))
    seconds = []
    with set_numerics(precision):  # type: ignore[arg-type]
        for _ in range(5):
            clock = Clock(device)
            a @ b
            seconds.append(clock.split())
    return 2 * n**3 / min(seconds)


def measure_bandwidth(device: torch.device) -> float:
    """Measure bytes per second that a copy of a large array reads and writes."""
    source = torch.zeros(2**28 if device.type == "cuda" else 2**26, device=device)
    target = torch.zeros_like(source)
    seconds = []
    for _ in range(5):
        clock = Clock(device)
        target.copy_(source)
        seconds.append(clock.split())
    return 2 * source.nbytes / min(seconds)
