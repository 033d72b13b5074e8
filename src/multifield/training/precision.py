"""In which numbers convolutions are computed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch

Precision = Literal["float32", "tfloat32", "bfloat16"]


def choose_precision(
    name: Literal["auto", "float32", "tfloat32", "bfloat16"], device: torch.device
) -> Precision:
    """Find the precision that a configuration asks for.

    Parameters
    ----------
    name : str
        ``auto`` takes bfloat16 on CUDA that has it, else float32; the others insist.
    device : torch.device

    Returns
    -------
    precision : {"float32", "tfloat32", "bfloat16"}
        Of the convolutions of training. Weights, their updates, the statistics of batch normalization, the
        linear layers and the loss are float32 in each; evaluation is float32 throughout.

    Raises
    ------
    ValueError
        If the device has not what is asked for: a run never goes quietly to something else.
    """
    available = {
        "float32": True,
        "tfloat32": device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0),
        # PyTorch computes it on every CPU, fast where the processor has instructions for it
        "bfloat16": device.type == "cpu" or (device.type == "cuda" and _has_bfloat16()),
    }
    if name == "auto":
        # not on a CPU: few have the instructions, and the same numbers everywhere are worth more
        return "bfloat16" if device.type == "cuda" and available["bfloat16"] else "float32"
    if not available[name]:
        raise ValueError(f"precision: expected one that device {device} has, got {name!r}")
    return name


def _has_bfloat16() -> bool:
    return bool(torch.cuda.is_bf16_supported(including_emulation=False))


def conv_dtype(precision: Precision) -> torch.dtype:
    """Type in which convolutions are computed."""
    return torch.bfloat16 if precision == "bfloat16" else torch.float32


@contextmanager
def set_numerics(precision: Precision, *, benchmark: bool = False) -> Iterator[None]:
    """Set what PyTorch keeps for the whole process, on CUDA alone; what was comes back afterwards.

    Parameters
    ----------
    precision : {"float32", "tfloat32", "bfloat16"}
        ``tfloat32`` lets CUDA round the factors of float32 products to 2^-11. PyTorch's own default is to do
        that in convolutions, which is no float32.
    benchmark : bool, optional
        Whether cuDNN times its algorithms when it first sees a shape, and takes the fastest.
    """
    # torch's stubs leave `conv` out
    places = (torch.backends.cudnn.conv, torch.backends.cuda.matmul)  # type: ignore[attr-defined]
    before = [place.fp32_precision for place in places]
    benchmark_before = torch.backends.cudnn.benchmark
    try:
        torch.backends.cudnn.benchmark = benchmark
        for place in places:
            place.fp32_precision = "tf32" if precision == "tfloat32" else "ieee"
        yield
    finally:
        torch.backends.cudnn.benchmark = benchmark_before
        for place, value in zip(places, before, strict=True):
            place.fp32_precision = value
