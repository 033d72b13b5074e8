"""The values of ``conf`` without Kedro, for calls from Python."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from multifield.config.folder import find_configuration

GLOBALS = (
    "_globals"  # where the values of globals.yml are merged in; `_` marks what is no parameter
)


def choose(condition: Any, yes: Any, no: Any) -> Any:
    """Give `yes` or `no`; a resolver of the YAML files. What is no flag is refused later, by its name."""
    return yes if condition is True else no


def or_same(asked: Any, default: Any) -> Any:
    """Give `default` where ``same`` is asked for; a resolver of the YAML files."""
    return default if asked == "same" else asked


def read_values(
    environment: str, choices: Mapping[str, Any], folder: Path | None = None
) -> dict[str, Any]:
    """Read the parameters that a run of Kedro has with the same environment and choices.

    Parameters
    ----------
    environment : str
        Name of a folder of the configuration, whose values go before those of ``base``.
    choices : mapping of str to object
        Values that go before both, as of ``--params``: by name, groups as mappings.
    folder : Path, optional
        Configuration. If not given, that of the working folder, or the one shipped with the package.

    Returns
    -------
    values : dict of str to object
        Parameters by name, groups as dicts.

    Raises
    ------
    ValueError
        If the configuration has no such environment; names those there are.
    """
    OmegaConf.register_new_resolver("choose", choose, replace=True)
    OmegaConf.register_new_resolver("or_same", or_same, replace=True)
    merged = OmegaConf.merge(
        {GLOBALS: read_globals(environment, folder)},
        *_read_all(environment, "parameters", folder),
        OmegaConf.create(dict(choices)),
    )
    values = OmegaConf.to_container(merged, resolve=True)
    assert isinstance(values, dict)
    return {str(name): value for name, value in values.items() if not str(name).startswith("_")}


def read_globals(environment: str, folder: Path | None = None) -> dict[str, Any]:
    """Read the values of globals.yml; see `read_values`."""
    merged = OmegaConf.merge(*_read_all(environment, "globals", folder))
    values: Any = OmegaConf.to_container(merged, resolve=True)
    return dict(values)


def _read_all(environment: str, kind: str, folder: Path | None) -> list[Any]:
    folder = folder or find_configuration()
    if not (folder / environment).is_dir():
        known = sorted(path.name for path in folder.iterdir() if path.is_dir())
        raise ValueError(f"environment: Expected one of {', '.join(known)}, got {environment!r}.")
    folders = (folder / "base", folder / environment)
    return [_read(path) for each in folders for path in sorted(each.glob(f"**/{kind}*.yml"))]


def _read(path: Path) -> Any:
    """Read a file; what Kedro's resolver ``globals`` gives is at hand as a node."""
    text = re.sub(r"\$\{globals:", f"${{{GLOBALS}.", path.read_text(encoding="utf-8"))
    return OmegaConf.create(text)
