"""Settings given by keyword: names, checks, and defaults from ``conf``."""

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from multifield.config.loader import read_parameters
from multifield.config.schema import Parameters, check_parameters, suggest
from multifield.config.training import Hyperparameters, TrainingConfig
from multifield.config.tuning import TuningConfig

# keyword -> dotted name of the parameter of a run
OF_SUITES = {
    **{
        name: f"source.mock.{name}"
        for name in ("n_simulations", "map_size", "lattice", "refine", "seed", "n_threads")
    },
    "partial": "source.partial",
    "download": "source.download.enabled",
    "smoothing_width": "smoothing_width",
    "cutout": "cutout",
    "mask": "mask",
    "zeros": "zeros",
    "remove_monopole": "preprocessing.remove_monopole",
    "compact": "preprocessing.compact",
    "noise": "preprocessing.noise",
    "beam": "preprocessing.beam",
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
    """Convert keywords to dotted names of the parameters of a run.

    Parameters
    ----------
    given : mapping of str to object
        Values by keyword.
    places : mapping of str to str
        Dotted names by keyword.

    Returns
    -------
    placed : dict of str to object
        Values by dotted name.

    Raises
    ------
    TypeError
        If a keyword is unknown. The message suggests a similar one or lists all.
    """
    for name in given:
        if name not in places:
            hint = suggest(name, places) or f" Settings: {', '.join(places)}."
            raise TypeError(f"{name}: Unknown setting.{hint}")
    return {places[name]: value for name, value in given.items()}


def make_parameters(
    environment: str, placed: Mapping[str, Any], places: Mapping[str, str]
) -> Parameters:
    """Return all parameters of a run: the values of ``conf``, some of them replaced.

    Parameters
    ----------
    environment : str
        Name of an environment of ``conf``.
    placed : mapping of str to object
        Replaced values by dotted name.
    places : mapping of str to str
        Dotted names by keyword, for messages.

    Returns
    -------
    parameters : Parameters
        Typed and checked parameters.

    Raises
    ------
    ValueError
        If values are out of range. The message has one line for each: keyword, rule and value.
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
    """Replace the dotted name at the start of a message by the keyword."""
    place, mark, rule = line.strip().partition(":")
    if place.endswith("selection"):  # the rule names the suite, set or field
        return rule.strip()
    is_place = re.fullmatch(r"[\w.]+", place)
    name = keywords.get(place, place.rpartition(".")[2] if is_place else place)
    return f"{name}{mark}{rule}"
