"""Parameters of a run: YAML files of ``conf``, ``--params``, keywords of Python calls."""

import functools
import operator
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kedro.config import OmegaConfigLoader
from omegaconf import DictConfig, OmegaConf

from multifield import camels
from multifield.config.data import pixels_suffix
from multifield.config.folder import find_configuration
from multifield.config.prediction import maps_name
from multifield.config.schema import check_recipe


class ConfigLoader(OmegaConfigLoader):
    """Kedro's loader with two additions.

    It merges environments and ``--params`` before it resolves ``${...}``: a replaced value is
    replaced wherever it is used. The catalog reads parameters, as in
    ``${parameters:selection.suite}``, so file names agree with what nodes get.
    """

    def __getitem__(self, key: str) -> dict[str, Any]:
        """Load and merge the files of one kind. See `OmegaConfigLoader`.

        Parameters
        ----------
        key : str
            Kind of configuration, such as ``parameters`` or ``catalog``.

        Returns
        -------
        values : dict of str to object
            Values by name, groups as dicts.

        Raises
        ------
        ValueError
            If the chosen recipe does not exist.
        """
        OmegaConf.register_new_resolver("parameters", self._find_parameter, replace=True)
        if key == "parameters" and key not in self:
            base, environment, *_ = self._read_raw_config(key)
            merged = OmegaConf.merge(
                *base.values(), *environment.values(), self.runtime_params or {}
            )
            assert isinstance(merged, DictConfig)
            check_recipe(merged.get("recipe"), list(merged.get("recipes", ())))
            add_own_suites(merged.get("own_suites"))
            self[key] = OmegaConf.to_container(merged, resolve=True)
        values: dict[str, Any] = super().__getitem__(key)
        return values

    def _find_parameter(self, place: str) -> Any:
        return functools.reduce(operator.getitem, place.split("."), self["parameters"])


def add_own_suites(path: object) -> None:
    """Register the suites of a user's file, before a parameter names one.

    Parameters
    ----------
    path : object
        Path of a YAML file with the keys of ``camels/suites.yml``. Other objects than text are
        rejected later, with the parameters.

    Raises
    ------
    ValueError
        If there is no such file, or it is not valid.
    """
    if not isinstance(path, str):
        return
    file = Path(path).expanduser()
    if not file.is_file():
        raise ValueError(f"own_suites: Expected a file of suites, got {path!r}, which is none.")
    camels.add_suites(file)


def _suite_name(name: str) -> str:
    """Return the one name of a suite that has several. Unknown names are rejected later."""
    try:
        return camels.find_suite(name).name
    except ValueError:
        return name


LOADER_ARGUMENTS: dict[str, Any] = {
    "base_env": "base",
    "default_run_env": "mock",  # `kedro run` makes its own universes
    "custom_resolvers": {
        "recipe_label": camels.recipe_label,
        "suite_name": _suite_name,
        "or_same": lambda chosen, default: default if chosen == "same" else chosen,
        # other values than flags are rejected later, by name
        "choose": lambda condition, yes, no: yes if condition is True else no,
        "choose_word": lambda chosen, word, yes: yes if chosen == word else "",
        "run_name": camels.run_name,
        "test_folder": lambda test, at_home: "" if test == at_home else f"/test_{test}",
        "maps_name": maps_name,
        "pixels_suffix": pixels_suffix,
        "expand_user": os.path.expanduser,
    },
}
"""Arguments of `ConfigLoader`: environments, and functions for the YAML files."""


def read_parameters(environment: str, choices: Mapping[str, Any]) -> dict[str, Any]:
    """Read the parameters of a run without running Kedro.

    Parameters
    ----------
    environment : str
        Name of a folder of the configuration, whose values replace those of ``base``.
    choices : mapping of str to object
        Values that replace both, as with ``--params``: by name, groups as mappings.

    Returns
    -------
    parameters : dict of str to object
        Parameters by name, groups as dicts.

    Raises
    ------
    ValueError
        If the environment or the chosen recipe does not exist.
    """
    folder = find_configuration()
    if not (folder / environment).is_dir():
        known = sorted(path.name for path in folder.iterdir() if path.is_dir())
        raise ValueError(f"environment: Expected one of {', '.join(known)}, got {environment!r}.")
    return ConfigLoader(str(folder), environment, dict(choices), **LOADER_ARGUMENTS)["parameters"]
