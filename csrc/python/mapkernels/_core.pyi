from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

_PixelType = Literal["float32", "float16", "bfloat16"]
_Pixels = NDArray[np.float32] | NDArray[np.float16] | NDArray[np.uint16]
"""Of the dtype told: bfloat16, which NumPy has not, is given as its bits in uint16."""

class FileError(OSError): ...

def accelerate(
    displacement: NDArray[np.float32],
    potential: NDArray[np.float32],
    acceleration: NDArray[np.float32],
) -> None: ...
def available_instructions() -> list[str]: ...
def combine_moments(moments: NDArray[np.float64]) -> tuple[float, float, float]: ...
def compiler() -> str: ...
def deposit_mesh(displacement: NDArray[np.float32], density: NDArray[np.float32]) -> None: ...
def deposit_slabs(
    displacement: NDArray[np.float32],
    speed: NDArray[np.float32],
    refine: int,
    mass: NDArray[np.float32],
    mean_speed: NDArray[np.float32],
    n_threads: int = 1,
) -> None: ...
def find_invalid(maps: NDArray[np.float32], allow_zero: bool, n_threads: int = 1) -> int: ...
def forget_mapping(address: int) -> None: ...
def gather(
    fields: Sequence[_Pixels],
    index: NDArray[np.int64],
    orientation: NDArray[np.int64],
    shift: NDArray[np.int64],
    mean: NDArray[np.float64],
    std: NDArray[np.float64],
    out: _Pixels,
    n_threads: int = 1,
    field_dtype: _PixelType = "float32",
    out_dtype: _PixelType = "float32",
) -> None: ...
def gaussian_smooth(
    maps: NDArray[np.float32], out: NDArray[np.float32], width: float, n_threads: int = 1
) -> None: ...
def instructions() -> str: ...
def log10(maps: NDArray[np.float32], out: NDArray[np.float32], n_threads: int = 1) -> None: ...
def log10p1(maps: NDArray[np.float32], out: NDArray[np.float32], n_threads: int = 1) -> None: ...
def map_moments(
    maps: NDArray[np.float32], out: NDArray[np.float64], n_threads: int = 1
) -> None: ...
def preprocess(
    maps: NDArray[np.float32],
    out: NDArray[np.float32] | None,
    moments: NDArray[np.float64],
    width: float,
    plus_one: bool,
    remove_monopole: bool,
    n_threads: int = 1,
    file: tuple[int, int] | None = None,
) -> int: ...
def remove_monopole(
    maps: NDArray[np.float32], out: NDArray[np.float32], n_threads: int = 1
) -> None: ...
def set_instructions(name: str) -> None: ...
def watch_mapping(address: int, n_bytes: int, name: str) -> None: ...
