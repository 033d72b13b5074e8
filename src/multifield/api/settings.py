"""Settings given by keyword: looked up by name, checked, and merged into the values of ``conf``."""

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from multifield.config.loader import read_parameters
from multifield.config.schema import Parameters, check_parameters, suggest
from multifield.config.training import Hyperparameters, TrainingConfig
from multifield.config.tuning import TuningConfig

# keyword -> its place among the parameters of a run
OF_SUITES = {
    **{
        name: f"source.mock.{name}"
        for name in ("n_simulations", "map_size", "lattice", "refine", "seed", "n_threads")
    },
    "partial": "source.partial",
    "download": "source.download.enabled",
    "smoothing_width": "smoothing_width",
    "remove_monopole": "preprocessing.remove_monopole",
    "compact": "preprocessing.compact",
    "n_valid": "split.n_valid",
    "n_test": "split.n_test",
    "split_seed": "split.seed",
    "normalize_over": "normalization.over",
}
OF_TRAINING = {
    **{field.name: f"training.{field.name}" for field in fields(TrainingConfig)},
    **{field.name: f"hyperparameters.{field.name}" for field in fields(Hyperparameters)},
    **{name: name for name in ("recipe", "epochs", "workers", "scheduler", "models_folder")},
}
OF_TUNING = {
    **{name: place for name, place in OF_TRAINING.items() if "hyperparameters" not in place},
    **{field.name: f"tuning.{field.name}" for field in fields(TuningConfig)},
    **{name: name for name in ("n_trials", "storage")},
}
OF_LOADING = {
    name: f"training.{name}" for name in ("device", "batch_size", "n_threads", "loader_threads")
}


def place_settings(given: Mapping[str, Any], places: Mapping[str, str]) -> dict[str, Any]:
    """Put settings at their places among the parameters of a run.

    Parameters
    ----------
    given : mapping of str to object
        Values by keyword.
    places : mapping of str to str
        Place of each keyword that a function knows.

    Returns
    -------
    placed : dict of str to object
        Values by place, with dots.

    Raises
    ------
    TypeError
        If no setting has such a name; says which is meant, or those there are.
    """
    for name in given:
        if name not in places:
            hint = suggest(name, places) or f" Settings: {', '.join(places)}."
            raise TypeError(f"{name}: Unknown setting.{hint}")
    return {places[name]: value for name, value in given.items()}


def make_parameters(
    environment: str, placed: Mapping[str, Any], places: Mapping[str, str]
) -> Parameters:
    """Give all parameters of a run: the values of ``conf``, with some replaced.

    Parameters
    ----------
    environment : str
        Name of an environment of ``conf``.
    placed : mapping of str to object
        Values by place, with dots.
    places : mapping of str to str
        Place of each keyword, for messages.

    Returns
    -------
    parameters : Parameters
        Typed and checked.

    Raises
    ------
    ValueError
        If a value is out of range, one line for each: its keyword, the rule and the value.
    """
    choices: dict[str, Any] = {}
    for place, value in placed.items():
        *groups, name = place.split(".")
        inner = choices
        for group in groups:
            inner = inner.setdefault(group, {})
        inner[name] = value
    values = read_parameters(environment, choices)
    try:
        return check_parameters(values)
    except ValueError as error:
        keywords = {place: keyword for keyword, place in places.items()}
        found = (_in_keywords(line, keywords) for line in str(error).splitlines()[1:])
        raise ValueError("\n".join(dict.fromkeys(found))) from None


def _in_keywords(line: str, keywords: Mapping[str, str]) -> str:
    """Name a setting as it was given; `line` begins with its place."""
    place, mark, rule = line.strip().partition(":")
    if place.endswith("selection"):  # its rules name the suite, set or field themselves
        return rule.strip()
    is_place = re.fullmatch(r"[\w.]+", place)
    name = keywords.get(place, place.rpartition(".")[2] if is_place else place)
    return f"{name}{mark}{rule}"
