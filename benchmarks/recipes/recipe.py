"""Recipes of ``conf/``, and recipes with one setting switched to the published value."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import TypeAdapter

from multifield.config.loader import read_parameters
from multifield.config.training import Hyperparameters, TrainingConfig
from multifield.config.tuning import TuningConfig

COMMON = {
    "checkpoint_every": 0,
    "eval_orientations": 1,  # for the choice of the epoch; the test averages all
}
ON_DEVICE: Mapping[str, Mapping[str, int]] = {
    "cpu": {
        "n_threads": 1,
        "loader_threads": 1,
        "prefetch": 0,
    },  # one thread, whose processor time is the cost
    "cuda": {},  # as in a run
}
SWITCHES = {
    "architecture": ("architecture",),
    "head": ("head",),
    "loss": ("loss", "head"),  # the moment loss is for the diagonal head only
    "judgement": ("judged_by", "head"),
    "schedule": ("schedule",),
    "averaging": ("weight_averaging",),
    "gradient": ("max_gradient_norm",),
    "betas": ("betas",),
    "shifts": ("shifts",),
}


@dataclass(frozen=True)
class Recipe:
    """Settings of a training."""

    name: str
    training: TrainingConfig
    hyperparameters: Hyperparameters
    tuning: TuningConfig  # settings of a search


def read_recipe(
    name: str, epochs: int, device: str = "cpu", compile: str = "auto", **runtime: Any
) -> Recipe:
    """Read a recipe as in environment mock, except for device and speed settings."""
    groups = read_parameters("mock", {"recipe": name, "epochs": epochs} | runtime)
    here = {"device": device, "compile": compile, **COMMON, **ON_DEVICE[device]}
    training = TypeAdapter(TrainingConfig).validate_python(groups["training"] | here)
    hyperparameters = TypeAdapter(Hyperparameters).validate_python(groups["hyperparameters"])
    tuning = TypeAdapter(TuningConfig).validate_python(groups["tuning"])
    return Recipe(name, training, hyperparameters, tuning)


def switch(recipe: Recipe, published: Recipe, what: str) -> Recipe:
    """Switch one setting of a recipe to the published value.

    Hyperparameters and their ranges are switched together with the architecture.
    """
    changes = {name: getattr(published.training, name) for name in SWITCHES[what]}
    source = published if what == "architecture" else recipe
    value = next(iter(changes.values()))
    name = f"{recipe.name}, {what} as published ({value})"
    training = replace(recipe.training, **changes)
    return Recipe(name, training, source.hyperparameters, source.tuning)


def give_epochs(recipe: Recipe, epochs: int, n_maps: int) -> Recipe:
    """Set the number of epochs, in whole cycles of the learning rate of about the recipe's length.

    A training that ends at a high rate is worse: in one seed of three, the error of sigma_8 of
    MockNbody doubled.
    """
    training = recipe.training
    n_steps = epochs * -(-n_maps // training.batch_size)
    n_cycles = max(1, round(n_steps / (training.steps_up + training.steps_down)))
    half = n_steps // (2 * n_cycles)
    return replace(
        recipe, training=replace(training, epochs=epochs, steps_up=half, steps_down=half)
    )
