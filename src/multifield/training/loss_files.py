"""Files of losses as the benchmark writes them: a line an epoch, `epoch train valid test`."""

import os
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from multifield.core.atomic_files import atomic_path

Losses = Float64[np.ndarray, "_ 4"]
"""Epoch, training, validation and test loss, a row an epoch: as many as the trial has."""


def write_losses(path: str | os.PathLike[str], losses: Losses) -> None:
    """Write losses whole or not at all, with all digits: reading gives them back exactly."""
    rows = (
        f"{epoch:.0f} {train!r} {valid!r} {test!r}\n"
        for epoch, train, valid, test in losses.tolist()
    )
    with atomic_path(path) as partial:
        partial.write_text("".join(rows))


def read_losses(path: str | os.PathLike[str]) -> Losses:
    """Read losses; ValueError unless every line has four numbers."""
    rows = [line.split() for line in Path(path).read_text().splitlines()]
    if not rows or any(len(row) != 4 for row in rows):
        raise ValueError(f"{path}: expected lines of `epoch train valid test`")
    return np.array(rows, dtype=np.float64)
