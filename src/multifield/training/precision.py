"""Precision of convolutions."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch

Precision = Literal["float32", "tfloat32", "bfloat16"]


def choose_precision(
    name: Literal["auto", "float32", "tfloat32", "bfloat16"], device: torch.device
) -> Precision:
    """Choose the precision for a configuration.

    Parameters
    ----------
    name : str
        Name of the precision. ``auto`` takes bfloat16 on CUDA with hardware support, else float32.
    device : torch.device
        Device of the training.

    Returns
    -------
    precision : {"float32", "tfloat32", "bfloat16"}
        Precision of convolutions in training. Weights, updates, statistics of batch normalization,
        linear layers and the loss are always float32. Evaluation is float32 throughout.

    Raises
    ------
    ValueError
        If the device does not support the precision. A run never changes silently to another one.
    """
    available = {
        "float32": True,
        "tfloat32": device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0),
        # available on every CPU, fast only with hardware support
        "bfloat16": device.type == "cpu" or (device.type == "cuda" and _has_bfloat16()),
    }
    if name == "auto":
        # float32 on CPUs: few support bfloat16, and results are the same everywhere
        return "bfloat16" if device.type == "cuda" and available["bfloat16"] else "float32"
    if not available[name]:
        raise ValueError(f"precision: Expected one that {device} supports, got {name!r}.")
    return name


def _has_bfloat16() -> bool:
    return bool(torch.cuda.is_bf16_supported(including_emulation=False))


def conv_dtype(precision: Precision) -> torch.dtype:
    """Return the type in which convolutions are computed."""
    return torch.bfloat16 if precision == "bfloat16" else torch.float32


@contextmanager
def set_numerics(precision: Precision, *, benchmark: bool = False) -> Iterator[None]:
    """Set PyTorch's process-wide CUDA options within a context.

    Parameters
    ----------
    precision : {"float32", "tfloat32", "bfloat16"}
        Precision of convolutions. ``tfloat32`` lets CUDA round the factors of float32 products to
        2^-11. PyTorch's default does so in convolutions; the other precisions here do not.
    benchmark : bool, optional
        Whether cuDNN times its algorithms for each new shape and takes the fastest.

    Yields
    ------
    None
        The former options are restored at the end.
    """
    # torch's stubs lack `conv`
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
