from typing import get_args

import pytest
from pydantic import TypeAdapter, ValidationError

from multifield.models import ARCHITECTURES
from multifield.training import Hyperparameters, TrainingConfig
from multifield.training.config import Architecture
from tests.unit.training.fakes import config


def test_architectures_are_those_of_the_registry() -> None:
    assert get_args(Architecture) == tuple(ARCHITECTURES)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"architecture": "resnet"}, "architecture"),
        ({"batch_size": 1}, "batch_size"),
        ({"betas": (0.5, 1.0)}, "betas"),
        ({"eval_orientations": 9}, "eval_orientations"),
        ({"device": "gpu"}, "device"),
        ({"epochs": 0}, "epochs"),
    ],
)
def test_values_out_of_range_are_refused(change: dict[str, object], name: str) -> None:
    with pytest.raises(ValidationError, match=name):
        config(**change)


def test_yaml_lists_and_unknown_keys() -> None:
    values = {name: getattr(config(), name) for name in TrainingConfig.__dataclass_fields__}
    adapter = TypeAdapter(TrainingConfig)
    assert adapter.validate_python(values | {"betas": [0.9, 0.99]}).betas == (0.9, 0.99)
    with pytest.raises(ValidationError, match="epoch"):
        adapter.validate_python(values | {"epoch": 5})


def test_dropout_of_one_is_refused() -> None:
    with pytest.raises(ValidationError, match="dr"):
        Hyperparameters(lr=1e-3, wd=0.0, dr=1.0, hidden=6)
