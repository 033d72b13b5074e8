"""Maps of MockTwoFields with a known answer, and settings for a search of seconds."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from multifield.config.ingest import MockConfig
from multifield.config.studies import SelectFieldsConfig
from multifield.config.training import Hyperparameters
from multifield.data import MapLoader, Normalization, SplitLoaders
from multifield.data.field_sets import FieldLoaders, FieldSet
from multifield.maps import split_simulations
from multifield.mock import make_suite
from multifield.models import ModelFolder
from tests.unit.training.examples import config

FIELDS = ("Mgas", "T", "ne", "HI")
MAP_SIZE = 16  # [pixels]
N_SIMULATIONS, N_HELD_OUT, BATCH_SIZE = 120, 16, 64
STEPS = -(-15 * (N_SIMULATIONS - 2 * N_HELD_OUT) // BATCH_SIZE)  # per epoch

# one cycle: the learning rate rises and falls once
EPOCHS = 18
TRAINING = config(
    epochs=EPOCHS, batch_size=BATCH_SIZE, steps_up=5 * STEPS, steps_down=(EPOCHS - 5) * STEPS
)
HYPERPARAMETERS = Hyperparameters(lr=1e-2, wd=1e-4, dr=0.0, hidden=2)
SELECT_FIELDS = TypeAdapter(SelectFieldsConfig).validate_python(
    {
        # after such short trainings Mgas and T keep 93%, one of them with any other field half of
        # it
        "fractions": (0.7, 0.8),
        "scorer": {
            "hyperparameters": Hyperparameters(lr=1e-2, wd=1e-4, dr=0.0, hidden=3),
            "epochs": EPOCHS,
            "networks": 1,
            "maps_per_set": 8,
            "orientations": 1,
        },
        "search": {"exhaustive_up_to": 9, "per_size": 2, "margin": 0},
        "finalists": {"networks": 1},
    }
)


@dataclass(frozen=True)
class MockLoaders(FieldLoaders):
    """Make loaders of log maps in memory."""

    theta: np.ndarray
    logs: dict[str, np.ndarray]

    def load(self, fields: FieldSet) -> SplitLoaders:
        maps = [self.logs[field] for field in fields]
        split = split_simulations(len(self.theta), n_valid=N_HELD_OUT, n_test=N_HELD_OUT)
        normalization = Normalization(
            over="all",
            fields=fields,
            mean=tuple(float(each.mean()) for each in maps),
            std=tuple(float(each.std()) for each in maps),
        )
        parts = {
            part: MapLoader(
                maps,
                self.theta,
                getattr(split, part),
                normalization,
                batch_size=BATCH_SIZE,
                inferred=(0, 1),
            )
            for part in ("train", "valid", "test")
        }
        return SplitLoaders(**parts, causes={"fields": "_".join(fields)})


@cache
def make_loaders(fields: FieldSet = FIELDS, n_simulations: int = N_SIMULATIONS) -> MockLoaders:
    size = MockConfig(
        n_simulations=n_simulations, map_size=MAP_SIZE, lattice=16, refine=1, seed=1, n_threads=1
    )
    theta, blocks = make_suite("MockTwoFields", fields, size)
    made = list(blocks)
    logs = {field: np.concatenate([np.log10(maps[field]) for maps in made]) for field in fields}
    normalization = Normalization(
        over="all", fields=fields, mean=(0.0,) * len(fields), std=(1.0,) * len(fields)
    )
    return MockLoaders(dict.fromkeys(fields), normalization, {}, theta, logs)


def make_folder(path: Path, kind: str) -> ModelFolder:
    return ModelFolder(path, "MockTwoFields", "_".join(FIELDS), f"all_steps_4_4_o3_{kind}")
