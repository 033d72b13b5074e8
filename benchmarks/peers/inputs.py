"""Inputs of the methods: maps, statistics of maps, or power spectra and quantiles."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch

from benchmarks.recipes.maps import Mock, normalize_by
from multifield import camels
from multifield.maps import maps_of
from multifield.maps.statistics import channel_quantiles, channel_spectra
from multifield.models.summary_statistics import SummaryStatistics

LIMIT = 8.0  # [standard deviations] at which statistics are clipped, as in our networks
N_BINS, N_QUANTILES = 16, 12
BATCH = 64  # maps at a time


class Rows(NamedTuple):
    """Inputs and parameters of the maps of some simulations."""

    x: np.ndarray  # (N, ...) float32
    theta: np.ndarray  # (N, P) float32, in units of the prior range


class Parts(NamedTuple):
    """Rows of the training, validation and test simulations."""

    train: Rows
    valid: Rows
    test: Rows


def columns_of(mock: Mock) -> list[int]:
    """Give the columns of the parameters that the suite varies."""
    return list(camels.find_suite(mock.suite).inferred_columns)


def names_of(mock: Mock) -> tuple[str, ...]:
    """Name the parameters that the suite varies."""
    return tuple(camels.PARAMETER_NAMES[column] for column in columns_of(mock))


def make_inputs(mock: Mock, kind: str) -> Parts:
    """Compute one kind of input of all maps."""
    scaled = camels.scale_theta(mock.theta)[:, columns_of(mock)].astype(np.float32)
    split = (mock.split.train, mock.split.valid, mock.split.test)
    found = [INPUTS[kind](standardize(mock, maps_of(part))) for part in split]
    if kind != "maps":
        mean, std = found[0].mean(axis=0), found[0].std(axis=0)
        std = np.where(std > 0, std, 1)
        found = [np.clip((x - mean) / std, -LIMIT, LIMIT) for x in found]
    return Parts(
        *(
            Rows(x.astype(np.float32), scaled[maps_of(part) // camels.MAPS_PER_SIMULATION])
            for x, part in zip(found, split, strict=True)
        )
    )


def standardize(mock: Mock, rows: np.ndarray) -> np.ndarray:
    """Standardize log maps with the mean and standard deviation of the training maps."""
    normal = normalize_by(mock)
    channels = [
        (maps[rows] - mean) / std
        for maps, mean, std in zip(mock.log_maps.values(), normal.mean, normal.std, strict=True)
    ]
    return np.stack(channels, axis=1).astype(np.float32)


def compute_statistics(maps: np.ndarray) -> np.ndarray:
    """Compute the statistics of the network `summary_statistics`."""
    network = SummaryStatistics(1, 0.0, maps.shape[1], maps.shape[2])
    with torch.inference_mode():
        parts = [network.encode(torch.from_numpy(maps[i : i + BATCH])) for i in starts(maps)]
    statistics: np.ndarray = torch.cat(parts).double().numpy()
    return statistics


def compute_spectra(maps: np.ndarray) -> np.ndarray:
    """Compute logarithms of power spectra, and quantiles of the pixels."""
    levels = (np.arange(N_QUANTILES) + 0.5) / N_QUANTILES
    n_bins = min(N_BINS, maps.shape[2] // 2)
    parts = []
    for i in starts(maps):
        batch = maps[i : i + BATCH]
        power = np.log(channel_spectra(batch, n_bins))
        parts.append(np.concatenate([power, channel_quantiles(batch, levels)], axis=1))
    return np.concatenate(parts)


def starts(maps: np.ndarray) -> range:
    """Give the first map of each batch."""
    return range(0, len(maps), BATCH)


INPUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "maps": lambda maps: maps,
    "statistics": compute_statistics,
    "spectra": compute_spectra,
}
"""Name of an input -> function of standardized maps (N, C, L, L)."""
