"""Mock maps of a run, simulated or read from the file of an earlier run."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from multifield import camels
from multifield.config.ingest import MockConfig
from multifield.config.training import TrainingConfig
from multifield.core.arrays import Maps, Theta
from multifield.core.atomic_files import atomic_path
from multifield.data import MapLoader, Normalization, SplitLoaders
from multifield.evaluation import Results
from multifield.maps import Split, log_transform, maps_of
from multifield.mock import make_suite
from multifield.mock.gaussian_likelihood import summarize
from multifield.mock.gaussian_posterior import posterior
from multifield.training import loader_options

N_WATCHED = 2  # test simulations whose loss a training shows; no result depends on them


@dataclass(frozen=True)
class Mock:
    """Simulations of a mock suite, and their split."""

    suite: str
    log_maps: Mapping[str, Maps]  # by field
    theta: Theta
    split: Split

    @property
    def map_size(self) -> int:
        """Pixels per side."""
        size: int = next(iter(self.log_maps.values())).shape[-1]
        return size


@dataclass(frozen=True)
class Data:
    """Batches of a mock suite."""

    whole: SplitLoaders
    timed: SplitLoaders  # the same with few test maps, which do not count as cost


# ---- making and keeping ----


def get_mock(
    suite: str, fields: tuple[str, ...], config: MockConfig, split: Split, path: Path | None
) -> Mock:
    """Simulate, or read the file of an earlier run; a missing file is created.

    Raises
    ------
    ValueError
        If the file contains other maps.
    """
    made_of = describe(suite, fields, config)
    if path is None or not path.exists():
        theta, log_maps = simulate(suite, fields, config)
        if path is not None:
            keep(path, made_of, theta, log_maps)
    else:
        theta, log_maps = read(path, made_of, fields)
    return Mock(suite, log_maps, theta, split)


def simulate(
    suite: str, fields: tuple[str, ...], config: MockConfig
) -> tuple[Theta, dict[str, Maps]]:
    """Simulate parameters and log maps."""
    theta, blocks = make_suite(suite, fields, config)
    simulations = list(blocks)
    return theta, {
        field: log_transform(np.concatenate([maps[field] for maps in simulations]), field)
        for field in fields
    }


def describe(suite: str, fields: tuple[str, ...], config: MockConfig) -> str:
    """Describe all settings of the maps, except the code."""
    size = {name: value for name, value in asdict(config).items() if name != "n_threads"}
    return json.dumps({"suite": suite, "fields": fields, **size})


def keep(path: Path, made_of: str, theta: Theta, log_maps: Mapping[str, Maps]) -> None:
    """Write parameters and log maps atomically."""
    with atomic_path(path) as partial, partial.open("wb") as file:
        arrays: dict[str, Any] = {"made_of": np.array(made_of), "theta": theta, **log_maps}
        np.savez(file, **arrays)


def read(path: Path, made_of: str, fields: tuple[str, ...]) -> tuple[Theta, dict[str, Maps]]:
    """Read a file of `keep`; ValueError if it contains other maps or arrays."""
    with np.load(path) as kept:
        found = str(kept["made_of"]) if "made_of" in kept else f"arrays {', '.join(kept)}"
        if found != made_of:
            raise ValueError(
                f"{path}: Expected maps of {made_of}, got those of {found}. Delete it or name another file."
            )
        return kept["theta"], {field: kept[field] for field in fields}


def know_exactly(mock: Mock) -> Results:
    """Compute the exact posterior of the test maps of Gaussian fields."""
    (log_maps,) = mock.log_maps.values()
    rows = maps_of(mock.split.test)
    known = posterior(summarize(log_maps[rows]))
    truth = mock.theta[rows // camels.MAPS_PER_SIMULATION]
    mean, std = (np.full_like(truth, np.nan) for _ in range(2))
    mean[:, :2], std[:, :2] = known.mean, known.std
    return Results(truth, mean, std, camels.COSMOLOGY)


# ---- batches ----


def load(mock: Mock, training: TrainingConfig) -> Data:
    """Make loaders for the device of the training."""
    channels = list(mock.log_maps.values())
    normalization = normalize_by(mock)
    inferred = camels.find_suite(mock.suite).inferred_columns

    def serve(part: tuple[int, ...]) -> MapLoader:
        return MapLoader(
            channels,
            mock.theta,
            part,
            normalization,
            batch_size=training.batch_size,
            inferred=inferred,
            **loader_options(training),
        )

    whole = SplitLoaders(
        train=serve(mock.split.train),
        valid=serve(mock.split.valid),
        test=serve(mock.split.test),
        causes={},
    )
    return Data(whole, replace(whole, test=serve(mock.split.test[:N_WATCHED])))


def normalize_by(mock: Mock) -> Normalization:
    """Compute mean and standard deviation of the training maps."""
    rows = maps_of(mock.split.train)
    training = [maps[rows] for maps in mock.log_maps.values()]
    return Normalization(
        over="training",
        fields=tuple(mock.log_maps),
        mean=tuple(float(maps.mean(dtype=np.float64)) for maps in training),
        std=tuple(float(maps.std(dtype=np.float64)) for maps in training),
    )
