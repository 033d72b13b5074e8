"""Small data and settings for the tests of training and tuning; no test."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from multifield.training import Hyperparameters, TrainingConfig


@dataclass
class FakeBatch:
    x: np.ndarray
    theta: np.ndarray
    index: np.ndarray


@dataclass
class FakeLoader:
    """Every map's brightness is its first parameter, so that a network has something to learn."""

    n_maps: int
    batch_size: int
    map_size: int = 16
    channels: int = 1
    seed: int = 0
    drawn: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        self.theta = rng.random((self.n_maps, 6), np.float32)
        noise = rng.normal(size=(self.n_maps, self.channels, self.map_size, self.map_size))
        self.x = (noise + 4 * self.theta[:, 0, None, None, None]).astype(np.float32)
        self._buffer = np.empty((self.batch_size, *self.x.shape[1:]), np.float32)

    def __len__(self) -> int:
        return self.n_maps

    def random_epoch(
        self, seed: int, epoch: int, *, flips: bool, shifts: bool
    ) -> Iterator[FakeBatch]:
        self.drawn.append({"seed": seed, "epoch": epoch, "flips": flips, "shifts": shifts})
        yield from self._batches(np.random.default_rng([seed, epoch]).permutation(self.n_maps))

    def ordered(self, orientations: Sequence[int]) -> Iterator[FakeBatch]:
        self.drawn.append({"orientations": list(orientations)})
        yield from self._batches(np.tile(np.arange(self.n_maps), len(orientations)))

    def _batches(self, order: np.ndarray) -> Iterator[FakeBatch]:
        for start in range(0, len(order), self.batch_size):
            index = order[start : start + self.batch_size]
            x = self._buffer[: len(index)]
            x[:] = self.x[index]
            yield FakeBatch(x, self.theta[index], index)


@dataclass
class FakeData:
    train: FakeLoader
    valid: FakeLoader
    test: FakeLoader
    channels: int = 1
    map_size: int = 16
    inferred: tuple[int, ...] = (0, 1)


def make_data(n_maps: int = 24, batch_size: int = 8, channels: int = 1) -> FakeData:
    train, valid, test = (
        FakeLoader(n, batch_size, channels=channels, seed=seed)
        for seed, n in enumerate((n_maps, 10, 10))
    )
    return FakeData(train, valid, test, channels=channels)


HYPERPARAMETERS = Hyperparameters(lr=1e-2, wd=1e-3, dr=0.2, hidden=1)

CONFIG = TrainingConfig(
    architecture="o3_err",
    epochs=3,
    batch_size=8,
    maps_per_epoch=18_000,
    lr_min=1e-9,
    steps_up=4,
    steps_down=4,
    betas=(0.5, 0.999),
    eval_orientations=1,
    flips=True,
    shifts=False,
    seed=5,
    device="cpu",
    n_threads=1,
)


def config(**changes: Any) -> TrainingConfig:
    return replace(CONFIG, **changes)
