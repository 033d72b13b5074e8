"""Types of all parameters of a run.

Unknown names and values out of range stop a run before its first node. Kedro itself checks only the
groups that the nodes use, and ignores a misspelt ``--params feild=HI``.
"""

import difflib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from multifield.camels import choose_parameters
from multifield.camels.selection import Selection
from multifield.config.data import NormalizationConfig, PreprocessingConfig, SplitConfig
from multifield.config.evaluation import EvaluationConfig
from multifield.config.ingest import SourceConfig, check_source
from multifield.config.prediction import AskedMaps, CardConfig, PredictionConfig
from multifield.config.studies import (
    BaselinesConfig,
    ExplainConfig,
    RobustnessConfig,
    SelectFieldsConfig,
)
from multifield.config.training import (
    Architecture,
    ExecutionConfig,
    HeadName,
    Hyperparameters,
    LossName,
    Schedule,
    TrainingConfig,
)
from multifield.config.tuning import SearchSpace, Storage, TuningConfig
from multifield.core.strict_types import Flag, Integer, Real, Text


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Recipe:
    """Settings that differ between recipes. The groups take them under the same names."""

    architecture: Architecture
    head: HeadName
    loss: LossName
    judged_by: LossName
    schedule: Schedule
    betas: tuple[Real, Real]
    max_gradient_norm: Real
    weight_averaging: Real
    shifts: Flag
    hyperparameters: Hyperparameters
    search_space: SearchSpace


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Parameters:
    """Choices of a run, recipes, and the groups that nodes use, which take the choices."""

    suite: Text
    field: Text
    sim_set: Text
    own_suites: Text | None
    parameters: Text | list[Text]
    smoothing_width: Real
    cutout: Integer
    mask: Text | None
    zeros: Text
    n_trials: Integer
    epochs: Integer
    recipe: Text
    test_suite: Text
    test_set: Text
    test_field: Text
    test_smoothing_width: Real | Literal["same"]
    workers: Integer
    scheduler: Text | None
    storage: Storage
    maps: AskedMaps
    maps_box: Real | Literal["same"]
    maps_smoothed: Flag
    network: Text
    models_folder: Text
    parity: Flag
    recipes: dict[str, Recipe]
    selection: Selection
    test_selection: Selection
    source: SourceConfig
    preprocessing: PreprocessingConfig
    split: SplitConfig
    normalization: NormalizationConfig
    training: TrainingConfig
    hyperparameters: Hyperparameters
    execution: ExecutionConfig
    tuning: TuningConfig
    evaluation: EvaluationConfig
    baselines: BaselinesConfig
    robustness: RobustnessConfig
    select_fields: SelectFieldsConfig
    explain: ExplainConfig
    card: CardConfig
    prediction: PredictionConfig

    @model_validator(mode="after")
    def _source_has_the_suites(self) -> "Parameters":
        check_source(self.selection.suite, self.source)
        check_source(self.test_selection.suite, self.source, name="test_suite")
        return self

    @model_validator(mode="after")
    def _suite_has_the_parameters(self) -> "Parameters":
        choose_parameters(self.training.parameters, self.selection.suite, self.selection.sim_set)
        return self

    @model_validator(mode="after")
    def _weights_are_kept_for_evaluation(self) -> "Parameters":
        kept, tested = self.tuning.keep_weights, self.evaluation.top_k
        if 0 < kept < tested:
            raise ValueError(
                f"tuning.keep_weights: Expected 0 or at least evaluation.top_k ({tested}), got {kept}."
            )
        return self

    @model_validator(mode="after")
    def _shifts_need_periodic_maps(self) -> "Parameters":
        for name, shifts in (
            ("training", self.training.shifts),
            ("evaluation", self.evaluation.shifts),
        ):
            if shifts and self.preprocessing.cutout:
                raise ValueError(
                    f"{name}.shifts: Expected none with cut-outs, which are not periodic "
                    f"(cutout={self.preprocessing.cutout}), got {shifts}."
                )
        return self

    @model_validator(mode="after")
    def _pruner_may_stop_trials(self) -> "Parameters":
        try:
            self.tuning.pruner.check(self.training.epochs)
        except ValueError as error:
            raise ValueError(f"tuning.{error}") from None
        return self


def check_recipe(recipe: object, known: Collection[str]) -> None:
    """Check the name of a recipe before settings are looked up in it.

    Parameters
    ----------
    recipe : object
        Name of the chosen recipe.
    known : collection of str
        Names of all recipes.

    Raises
    ------
    ValueError
        If there is no recipe of this name.
    """
    if recipe not in known:
        hint = suggest(str(recipe), known)
        raise ValueError(f"recipe: Expected one of {', '.join(known)}, got {recipe!r}.{hint}")


def check_parameters(parameters: dict[str, Any]) -> Parameters:
    """Check the parameters of a run.

    Parameters
    ----------
    parameters : dict of str to object
        Parameters by name, groups as dicts.

    Returns
    -------
    parameters : Parameters
        The same, typed.

    Raises
    ------
    ValueError
        If parameters are missing, unknown or out of range. The message has one line for each: name,
        rule and value.
    """
    try:
        return TypeAdapter(Parameters).validate_python(parameters)
    except ValidationError as error:
        lines = [_explain(item, parameters) for item in error.errors()]
        raise ValueError("\n".join(["parameters:", *lines])) from None


def suggest(name: str, known: Iterable[str]) -> str:
    """Suggest a known name in place of an unknown one.

    Parameters
    ----------
    name : str
        Unknown name.
    known : iterable of str
        Known names.

    Returns
    -------
    hint : str
        Such as " Did you mean 'field'?". Empty if no name is similar.
    """
    similar = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean {similar[0]!r}?" if similar else ""


# pydantic appends these to the name of a parameter that allows several types
UNION_MEMBER = re.compile(r"(float|int|str|constrained-str|bool|none|literal\[.*\]|dict\[.*\])")


def _explain(item: Any, parameters: Mapping[str, Any]) -> str:
    name = ".".join(part for part in map(str, item["loc"]) if not UNION_MEMBER.fullmatch(part))
    if item["type"] == "unexpected_keyword_argument":
        known = _siblings(item["loc"], parameters)
        hint = suggest(str(item["loc"][-1]), known)
        return f"  {name}: Unknown parameter (value {item['input']!r}).{hint}"
    if item["type"] == "missing":
        return f"  {name}: Expected a value, got none."
    if item["type"] != "value_error":
        message = re.sub("^Input should be (?=greater|less)", "Expected a value ", item["msg"])
        message = message.replace("Input should be", "Expected")
        return f"  {name}: {message}, got {item['input']!r}."
    message = item["msg"].removeprefix("Value error, ")
    if not name or message.startswith(f"{name.rpartition('.')[2]}: "):  # it contains the name
        name = name.rpartition(".")[0]
        return f"  {name}.{message}" if name else f"  {message}"
    return f"  {name}: {message}"


def _siblings(place: Sequence[str | int], parameters: Mapping[str, Any]) -> list[str]:
    """Return the other names of a group. All are given, since no parameter has a default."""
    group: Any = parameters
    for key in place[:-1]:
        group = group.get(key, {}) if isinstance(group, Mapping) else {}
    return [str(name) for name in group if name != place[-1]]
