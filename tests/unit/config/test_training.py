import pytest
from pydantic import TypeAdapter, ValidationError

from multifield.config.training import Hyperparameters, TrainingConfig
from tests.unit.training.examples import config

NAN, INF = float("nan"), float("inf")


def settings(**changes: object) -> dict[str, object]:
    return {name: getattr(config(), name) for name in TrainingConfig.__dataclass_fields__} | changes


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("architecture", ["resnet", "my.module", "my module:Net", "module:", 3]),
        ("pretrained", ["no_such_file.pt", 3, ""]),
        ("epochs", [0, 3.0, "3", True, 3.5]),
        ("batch_size", [1, 8.0]),
        ("maps_per_epoch", [-1, INF]),
        ("lr_min", [-1e-9, NAN, INF, "1e-9", False]),
        ("loss", ["gaussian", None]),
        ("judged_by", ["gaussian", None]),
        ("schedule", ["cosine", None]),
        ("warm_up", [0, 1, NAN, "0.1", True]),
        ("max_gradient_norm", [-1.0, NAN, INF, "1", True]),
        ("weight_averaging", [-0.1, 1.0, NAN, "0.9", True]),
        ("steps_up", [0, True]),
        ("steps_down", [0, "500"]),
        ("betas", [(0.5, 1.0), (NAN, 0.9), (0.5,), (-0.1, 0.9), ("0.5", 0.9), (True, 0.9), 0.5]),
        ("eval_orientations", [0, 9, 8.0]),
        ("flips", ["no", 0, 1, None]),
        ("shifts", ["yes", 1.0]),
        ("seed", [-1, 2**32, 2**80, 1.0, True]),
        ("device", ["gpu"]),
        ("precision", ["float16", "bf16", 32, None]),
        ("compile", ["yes", True, None]),
        ("cudnn_benchmark", ["yes", 1, None]),
        ("n_threads", [-1, 2.0, False]),
        ("loader_threads", [-1, 2.0, False]),
        ("prefetch", [-1, 2.0, True]),
        ("resident", ["yes", True, None]),
    ],
)
def test_settings_out_of_range_or_of_another_type_are_rejected(
    name: str, values: list[object]
) -> None:
    for value in values:
        with pytest.raises(ValidationError, match=name):
            TypeAdapter(TrainingConfig).validate_python(settings(**{name: value}))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("lr", [-1e-3, NAN, INF, "1e-3", True]),
        ("wd", [-1e-3, NAN, INF]),
        ("dr", [-0.1, 1.0, 1.5, NAN, "0.2"]),
        ("hidden", [0, 6.0, "6", True]),
    ],
)
def test_hyperparameters_out_of_range_or_of_another_type_are_rejected(
    name: str, values: list[object]
) -> None:
    good = {"lr": 1e-3, "wd": 1e-3, "dr": 0.2, "hidden": 6}
    for value in values:
        with pytest.raises(ValidationError, match=name):
            TypeAdapter(Hyperparameters).validate_python(good | {name: value})


def test_integers_are_valid_real_numbers() -> None:
    found = TypeAdapter(Hyperparameters).validate_python({"lr": 1, "wd": 0, "dr": 0, "hidden": 6})
    assert (found.lr, found.wd, found.dr) == (1.0, 0.0, 0.0)
    assert TypeAdapter(TrainingConfig).validate_python(settings(betas=[0, 0.9])).betas == (0.0, 0.9)


def test_yaml_lists_are_tuples_and_unknown_keys_are_rejected() -> None:
    adapter = TypeAdapter(TrainingConfig)
    assert adapter.validate_python(settings(betas=[0.9, 0.99])).betas == (0.9, 0.99)
    with pytest.raises(ValidationError, match="epoch"):
        adapter.validate_python(settings(epoch=5))


def test_largest_seed_is_allowed() -> None:
    assert config(seed=2**32 - 1).seed == 2**32 - 1
