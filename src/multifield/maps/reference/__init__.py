"""Reference implementation of the kernels of `mapkernels` in NumPy and SciPy.

The names and arguments are the same, and `n_threads` is ignored. Sums and convolutions are in
float64. The tests in ``tests/kernels`` run on both packages and compare `mapkernels` with this one.
"""

from multifield.maps.reference.batches import (
    PixelType,
    as_float32,
    from_float32,
    gather,
    orient,
)
from multifield.maps.reference.particles import accelerate, deposit_mesh, deposit_slabs
from multifield.maps.reference.preprocessing import (
    combine_moments,
    find_invalid,
    gaussian_smooth,
    log10,
    log10p1,
    map_moments,
    preprocess,
    remove_monopole,
)

__all__ = [
    "PixelType",
    "accelerate",
    "as_float32",
    "combine_moments",
    "deposit_mesh",
    "deposit_slabs",
    "find_invalid",
    "forget_mapping",
    "from_float32",
    "gather",
    "gaussian_smooth",
    "log10",
    "log10p1",
    "map_moments",
    "orient",
    "preprocess",
    "remove_monopole",
    "watch_mapping",
]


def watch_mapping(address: int, n_bytes: int, name: str) -> None:
    """Do nothing. In C++ this registers a handler that explains bus errors."""


def forget_mapping(address: int) -> None:
    """Do nothing. See `watch_mapping`."""
