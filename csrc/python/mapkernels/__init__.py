"""Kernels on periodic square maps, in C++.

Arrays are the caller's, of the exact type and C-contiguous; nothing is converted or copied. The
documented face is `multifield.maps.transforms`; the answers are `multifield.maps.reference`'s.
"""

from mapkernels._core import (
    combine_moments,
    deposit_slabs,
    find_invalid,
    gather,
    gaussian_smooth,
    log10,
    log10p1,
    map_moments,
    preprocess,
    remove_monopole,
)

__all__ = [
    "combine_moments",
    "deposit_slabs",
    "find_invalid",
    "gather",
    "gaussian_smooth",
    "log10",
    "log10p1",
    "map_moments",
    "preprocess",
    "remove_monopole",
]
