"""The kernels of `mapkernels` in plain NumPy and SciPy: what each must compute, for clarity.

Same names and arguments; `n_threads` is ignored. Sums and convolutions are in float64. The
conformance suite in ``tests/kernels`` runs every test on both, and uses this package as the answer.
"""

from multifield.maps.reference.batches import (
    PixelType,
    as_float32,
    from_float32,
    gather,
    gather_raw,
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
    "gather_raw",
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
    """Do nothing: a bus error is explained by a handler in C++."""


def forget_mapping(address: int) -> None:
    """Do nothing; see `watch_mapping`."""
