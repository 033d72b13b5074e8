"""Files of losses in the benchmark's format: one line `epoch train valid test` per epoch."""

import os
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from multifield.core.atomic_files import atomic_path

Losses = Float64[np.ndarray, "_ 4"]
"""Epoch and training, validation and test loss, one row per epoch."""


def write_losses(path: str | os.PathLike[str], losses: Losses) -> None:
    """Write losses atomically, with all digits.

    Parameters
    ----------
    path : path-like
        File to write.
    losses : (E, 4) float64
        Epoch and training, validation and test loss.
    """
    rows = (
        f"{epoch:.0f} {train!r} {valid!r} {test!r}\n"
        for epoch, train, valid, test in losses.tolist()
    )
    with atomic_path(path) as partial:
        partial.write_text("".join(rows))


def read_losses(path: str | os.PathLike[str]) -> Losses:
    """Read losses from a file.

    Parameters
    ----------
    path : path-like
        File written by `write_losses`, or one of the benchmark's.

    Returns
    -------
    losses : (E, 4) float64
        Epoch and training, validation and test loss.

    Raises
    ------
    ValueError
        If a line does not have four numbers.
    """
    rows = [line.split() for line in Path(path).read_text().splitlines()]
    if not rows or any(len(row) != 4 for row in rows):
        raise ValueError(f"{path}: Expected lines of `epoch train valid test`.")
    return np.array(rows, dtype=np.float64)
