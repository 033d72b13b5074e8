from collections.abc import Callable

import numpy as np
import pytest

from multifield.config.studies import BaselinesConfig
from multifield.data.loader import MapLoader
from multifield.data.normalization import Normalization
from multifield.data.split_loaders import SplitLoaders
from multifield.maps.splits import split_simulations

CONFIG = BaselinesConfig(n_bins=8, n_quantiles=4, degree=2)

Loaders = Callable[..., SplitLoaders]


@pytest.fixture
def config() -> BaselinesConfig:
    return CONFIG


@pytest.fixture
def make_loaders() -> Loaders:
    """Make loaders of log maps, one array per channel; a fifth each for validation and tests."""

    def make(
        theta: np.ndarray, *channels: np.ndarray, inferred=(0, 1), mean=11.0, std=0.5, batch_size=64
    ) -> SplitLoaders:
        split = split_simulations(len(theta), n_valid=len(theta) // 5, n_test=len(theta) // 5)
        names = ("Mtot", "Mgas")[: len(channels)]
        numbers = tuple((number,) * len(channels) for number in (mean, std))
        normalization = Normalization(over="all", fields=names, mean=numbers[0], std=numbers[1])
        parts = {
            part: MapLoader(
                channels,
                theta,
                getattr(split, part),
                normalization,
                batch_size=batch_size,
                inferred=inferred,
            )
            for part in ("train", "valid", "test")
        }
        return SplitLoaders(**parts, causes={})

    return make
