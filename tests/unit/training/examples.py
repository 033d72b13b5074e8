"""Small data and settings for the tests of training and tuning."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from multifield import camels
from multifield.config.training import ExecutionConfig, Hyperparameters, TrainingConfig
from multifield.data import MapLoader, Normalization, SplitLoaders
from multifield.data.map_files import save_maps
from multifield.maps.memory import open_maps
from multifield.models import SummaryStatistics

MAP_SIZE = 16  # [pixels]


def make_theta(n_simulations: int) -> np.ndarray:
    return camels.unscale_theta(np.random.default_rng(1).random((n_simulations, 6)))


def make_data(
    n_train: int = 2,
    *,
    channels: int = 1,
    inferred: tuple[int, ...] = (0, 1),
    theta: np.ndarray | None = None,
    prefetch: int = 1,
    folder: Path | None = None,
) -> SplitLoaders:
    """Load `n_train` training simulations, one validation and one test simulation, 15 maps each.

    The brightness of a map is its first parameter, so a network can learn it. With a folder, the maps
    are in files, as other processes need them.
    """
    theta = make_theta(n_train + 2) if theta is None else theta
    brightness = 4 * np.repeat(camels.scale_theta(theta)[:, 0], camels.MAPS_PER_SIMULATION)
    shape = (channels, len(brightness), MAP_SIZE, MAP_SIZE)
    noise = np.random.default_rng(0).normal(size=shape)
    maps = (noise + brightness[:, None, None]).astype(np.float32)
    if folder is not None:
        maps = [save_and_open(folder / f"maps_{c}.npy", each) for c, each in enumerate(maps)]
    normalization = Normalization(
        over="all",
        fields=tuple(camels.FIELDS)[:channels],
        mean=(0.0,) * channels,
        std=(1.0,) * channels,
    )

    def load(*simulations: int) -> MapLoader:
        return MapLoader(
            list(maps),
            theta,
            simulations,
            normalization,
            batch_size=8,
            inferred=inferred,
            prefetch=prefetch,
        )

    return SplitLoaders(
        train=load(*range(n_train)),
        valid=load(n_train),
        test=load(n_train + 1),
        causes={},
    )


def save_and_open(path: Path, maps: np.ndarray) -> np.ndarray:
    """Memory-map these maps from a file, which is written once."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        save_maps(path, maps)
    return open_maps(path)


HYPERPARAMETERS = Hyperparameters(lr=1e-2, wd=1e-3, dr=0.2, hidden=1)

CONFIG = TrainingConfig(
    parameters="all",
    architecture="o3_err",
    head="diagonal",
    pretrained=None,
    epochs=3,
    batch_size=8,
    maps_per_epoch=18_000,
    loss="moments",
    judged_by="moments",
    schedule="cyclic",
    warm_up=0.1,
    lr_min=1e-9,
    steps_up=4,
    steps_down=4,
    betas=(0.5, 0.999),
    max_gradient_norm=0.0,
    weight_averaging=0.0,
    eval_orientations=1,
    flips=True,
    shifts=False,
    seed=5,
    checkpoint_every=1,
    device="cpu",
    precision="float32",
    compile="never",
    cudnn_benchmark=False,
    n_threads=1,
    loader_threads=1,
    prefetch=1,
    resident="never",
)


def config(**changes: Any) -> TrainingConfig:
    return replace(CONFIG, **changes)


def count_described(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that receives the number of maps in each call of `SummaryStatistics`."""
    described: list[int] = []
    plain = SummaryStatistics.features

    def count(network: SummaryStatistics, x: torch.Tensor) -> torch.Tensor:
        described.append(len(x))
        return plain(network, x)

    monkeypatch.setattr(SummaryStatistics, "features", count)
    return described


HERE = ExecutionConfig(workers=1, scheduler=None)  # in this process
