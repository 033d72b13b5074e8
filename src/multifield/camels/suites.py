"""Known suites: those of CAMELS, mock suites, and those of users."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from multifield.camels.parameters import ParameterSpace
from multifield.camels.schema import Schema, SimulationSet, Suite, parse_schema, read_schema

BUILT_IN = read_schema(Path(__file__).with_name("suites.yml"))
"""Suites of CAMELS and mock suites."""
SUITES = dict(BUILT_IN.suites)
"""Every suite by its name, also those of users in this process."""

CMD = BUILT_IN.tables["CMD"]
"""The six parameters of the CAMELS Multifield Dataset."""
PARAMETERS = CMD.parameters
"""The six parameters with their bounds, in the order of the columns of parameter tables."""
PARAMETER_NAMES = CMD.names
"""Names of the six parameters."""
COSMOLOGY = CMD.cosmology
"""Names of the cosmological parameters."""
FEEDBACK = PARAMETER_NAMES[len(COSMOLOGY) :]
"""Names of the astrophysical parameters."""
scale_theta, unscale_theta, unscale_theta_std = CMD.scale, CMD.unscale, CMD.unscale_std


def in_table_order(names: Iterable[str]) -> list[str]:
    """Return names of parameters with those of CMD first, in the order of its table.

    Parameters
    ----------
    names : iterable of str
        Names of parameters.

    Returns
    -------
    ordered : list of str
        The same names. Others than CMD's keep their order.
    """
    given = list(dict.fromkeys(names))
    known = [name for name in PARAMETER_NAMES if name in given]
    return known + [name for name in given if name not in known]


def add_suites(schema: Schema | Path) -> tuple[Suite, ...]:
    """Register suites of a user in this process.

    Parameters
    ----------
    schema : Schema or Path
        Suites, or YAML file of suites with the keys of ``camels/suites.yml``.

    Returns
    -------
    suites : tuple of Suite
        The suites. They replace earlier ones of the same names.

    Raises
    ------
    ValueError
        If the file is not valid, or a name is taken by CMD or a mock suite.
    """
    given = read_schema(schema, BUILT_IN) if isinstance(schema, Path) else schema
    for name in given.suites:
        if name in BUILT_IN.suites or any(
            name in each.aliases for each in BUILT_IN.suites.values()
        ):
            raise ValueError(
                f"suite: Expected a new name, got {name!r}, a suite of CMD or a mock suite. Choose "
                "another name."
            )
    added = {name: replace(suite, own=True) for name, suite in given.suites.items()}
    SUITES.update(added)
    return tuple(added.values())


def add_suite(name: str, fields: tuple[str, ...], inferred: tuple[str, ...]) -> Suite:
    """Register a suite of a user in this process, with the set ``own`` and the six parameters.

    Parameters
    ----------
    name : str
        Name for files and messages: letters, digits, ``-`` and ``_``.
    fields : tuple of str
        Names of its fields, from `FIELDS`.
    inferred : tuple of str
        Names of the parameters that affect its maps: all six, or the cosmological ones.

    Returns
    -------
    suite : Suite
        The suite. It replaces an earlier one of the same name.

    Raises
    ------
    ValueError
        If the name is taken by CMD or a mock suite or has other characters, or a field is unknown.
    """
    entry = {
        "fields": fields,
        "infers": "cosmology" if inferred == COSMOLOGY else "all",
        "sets": {"own": {"tables": [CMD.name], "drawn": "linear"}},
    }
    (suite,) = add_suites(parse_schema({"suites": {name: entry}}, BUILT_IN))
    return suite


def find_suite(name: str) -> Suite:
    """Look up a suite.

    Parameters
    ----------
    name : str
        Name of the suite, or one of its other names.

    Returns
    -------
    suite : Suite
        The suite.

    Raises
    ------
    ValueError
        If there is no suite of this name.
    """
    if name in SUITES:
        return SUITES[name]
    for suite in SUITES.values():
        if name in suite.aliases:
            return suite
    raise ValueError(f"suite: Expected one of {', '.join(SUITES)}, got {name!r}.{_hint(name)}")


def _hint(name: str) -> str:
    similar = difflib.get_close_matches(name, SUITES, n=1)
    return f" Did you mean {similar[0]!r}?" if similar else ""


def find_set(sim_set: str, suite: str) -> SimulationSet:
    """Look up a set of a suite.

    Parameters
    ----------
    sim_set, suite : str
        Names of the set and the suite.

    Returns
    -------
    sim_set : SimulationSet
        The set.

    Raises
    ------
    ValueError
        If the suite is unknown or has no such set.
    """
    available = find_suite(suite).sets
    if sim_set not in available:
        raise ValueError(
            f"sim_set: Expected a set of suite {suite} ({', '.join(available)}), got {sim_set!r}."
        )
    return available[sim_set]


def choose_parameters(wanted: str | Sequence[str], suite: str, sim_set: str) -> tuple[str, ...]:
    """Return the names of chosen parameters of a set.

    Parameters
    ----------
    wanted : {"all", "cosmology"} or sequence of str
        All parameters that affect the maps, the cosmological ones of them, or names, in a sequence
        or joined with ``+``.
    suite, sim_set : str
        Names of the suite and the set.

    Returns
    -------
    names : tuple of str
        Names of the parameters, in the order of the columns.

    Raises
    ------
    ValueError
        If a parameter does not exist, or does not affect the maps of the suite.
    """
    entry = find_set(sim_set, suite)
    if wanted == "all":
        return entry.inferred
    names = entry.space.choose(wanted)
    for name in names:
        if name not in entry.inferred:
            raise ValueError(
                f"parameters: Expected parameters that affect the maps of {suite} "
                f"({', '.join(entry.inferred)}), got {name!r}."
            )
    return names


def find_table(name: str) -> ParameterSpace:
    """Look up the parameters of a table.

    Parameters
    ----------
    name : str
        Name of the table in a file of suites.

    Returns
    -------
    space : ParameterSpace
        Its parameters.

    Raises
    ------
    ValueError
        If no known suite has such a table.
    """
    own = {t.name: t for s in SUITES.values() for each in s.sets.values() for t in each.tables}
    known = {**BUILT_IN.tables, **own}
    if name not in known:
        raise ValueError(f"table: Expected one of {', '.join(known)}, got {name!r}.")
    return known[name]


def find_space(suite: str, sim_set: str) -> ParameterSpace:
    """Look up the parameters of a set.

    Parameters
    ----------
    suite, sim_set : str
        Names of the suite and the set.

    Returns
    -------
    space : ParameterSpace
        Parameters of the default table of the set.
    """
    return find_set(sim_set, suite).space


def parse_fields(multifield: str, suite: str) -> tuple[str, ...]:
    """Split a multifield name into its fields, in channel order.

    Parameters
    ----------
    multifield : str
        Field, or fields joined with ``_``, such as ``Mgas_HI_B``.
    suite : str
        Suite of the fields.

    Returns
    -------
    fields : tuple of str
        Names of the fields.

    Raises
    ------
    ValueError
        If the suite is unknown or lacks a field, or a field is repeated.
    """
    available = find_suite(suite).fields
    names = tuple(multifield.split("_"))
    for name in names:
        if name not in available:
            raise ValueError(
                f"field: Expected fields of suite {suite} ({', '.join(available)}), got {name!r} in "
                f"{multifield!r}."
            )
    if len(set(names)) < len(names):
        raise ValueError(f"field: Expected each field once, got {multifield!r}.")
    return names


def scored_parameters(
    train_suite: str, test_suite: str, space: ParameterSpace = CMD
) -> tuple[str, ...]:
    """Return the parameters that a network is scored on.

    Across suites these are the cosmological ones: astrophysical parameters have another meaning in
    each suite.

    Parameters
    ----------
    train_suite, test_suite : str
        Suites of the training and of the test maps.
    space : ParameterSpace, optional
        Parameters of the table of the training. By default CMD's six.

    Returns
    -------
    names : tuple of str
        Names of the parameters.
    """
    if train_suite != test_suite:
        return space.cosmology
    return space.choose(next(iter(find_suite(test_suite).sets.values())).infers)
