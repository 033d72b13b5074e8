"""Short calls of the kernels, which write into arrays of the caller."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

FEW = settings(max_examples=60)
SIDES = st.integers(1, 40)  # beyond one vector and one group of four taps, and every remainder
SEEDS = st.integers(0, 2**32 - 1)


def fresh(kernel: Callable[..., None], maps: np.ndarray, *arguments: Any) -> np.ndarray:
    """Call a kernel that writes maps, with a new array for `out`."""
    out = np.full_like(maps, np.nan)
    kernel(maps, out, *arguments)
    return out


def moments_of(kernels: ModuleType, maps: np.ndarray, n_threads: int = 1) -> np.ndarray:
    moments = np.full((len(maps), 3), np.nan)
    kernels.map_moments(maps, moments, n_threads)
    return moments


def preprocessed(
    kernels: ModuleType, maps: np.ndarray, *arguments: Any
) -> tuple[int, np.ndarray, np.ndarray]:
    """First bad pixel, log maps, moments."""
    out, moments = np.full_like(maps, np.nan), np.full((len(maps), 3), np.nan)
    first = kernels.preprocess(maps, out, moments, *arguments)
    return first, out, moments


def positive_maps(seed: int, n_maps: int, side: int) -> np.ndarray:
    """Log-normal maps with the mean and twice the contrast of CMD's Mcdm."""
    rng = np.random.default_rng(seed)
    return np.exp(rng.normal(25.3, 2.3, (n_maps, side, side))).astype(np.float32)
