"""Sets of simulations of the suites, and suites of users."""

import re
from dataclasses import dataclass, replace

import numpy as np

from multifield.camels.fields import FIELDS, MAP_SIZE
from multifield.camels.parameters import PARAMETER_NAMES, PARAMETERS
from multifield.camels.suites import SUITES, Suite, find_suite
from multifield.core.arrays import Theta


@dataclass(frozen=True)
class SimulationSet:
    """One set of simulations, such as a latin hypercube.

    Attributes
    ----------
    name : str
        Name in file names.
    meaning : str
        Description in words.
    n_simulations : int or None
        Number of simulations. None if it varies between releases.
    n_columns : tuple of int
        Possible numbers of columns of the parameter table. All of six are CMD's. Only the first two
        of 28 are: the others have the units of IllustrisTNG's code.
    suites : tuple of str
        Names of the suites with this set.
    """

    name: str
    meaning: str
    n_simulations: int | None
    n_columns: tuple[int, ...]
    suites: tuple[str, ...]


_PUBLISHED = tuple(name for name, suite in SUITES.items() if not suite.mock)
_OF_ILLUSTRIS = ("IllustrisTNG", "Nbody_IllustrisTNG")
_SIX, _EXTENDED = len(PARAMETERS), 28
SETS = {
    sim_set.name: sim_set
    for sim_set in (
        SimulationSet("LH", "latin hypercube", 1000, (_SIX,), tuple(SUITES)),
        SimulationSet("CV", "cosmic variance: one model, 27 seeds", 27, (_SIX,), _PUBLISHED),
        # first release: 66 simulations of six parameters; later ones have 28 parameters
        SimulationSet("1P", "one parameter at a time", None, (_SIX, _EXTENDED), _PUBLISHED),
        SimulationSet("EX", "extreme or no feedback", 4, (_SIX,), _PUBLISHED),
        SimulationSet("BE", "butterfly effect: one model, one seed", 27, (_SIX,), _OF_ILLUSTRIS),
        SimulationSet("SB28", "Sobol sequence", 2048, (_EXTENDED,), _OF_ILLUSTRIS),
        SimulationSet("own", "simulations of a user", None, (_SIX,), ()),  # see `add_suite`
    )
}
"""Sets of CMD. Mock suites have only LH, with any number of simulations."""


def add_suite(name: str, fields: tuple[str, ...], inferred: tuple[str, ...]) -> Suite:
    """Register a suite of a user in this process, with the set ``own``.

    Parameters
    ----------
    name : str
        Name for files and messages: letters, digits, ``-`` and ``_``.
    fields : tuple of str
        Names of its fields, from `FIELDS`.
    inferred : tuple of str
        Names of the parameters that affect its maps.

    Returns
    -------
    suite : Suite
        The suite. It replaces an earlier one of the same name.

    Raises
    ------
    ValueError
        If the name is taken by CMD or a mock suite or has other characters, or a field is unknown.
    """
    own = SETS["own"]
    if name in SUITES and name not in own.suites:
        raise ValueError(
            f"suite: Expected a new name, got {name!r}, a suite of CMD or a mock suite. Choose "
            "another name."
        )
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise ValueError(f"suite: Expected letters, digits, - and _, got {name!r}.")
    for field in fields:
        if field not in FIELDS:
            raise ValueError(f"field: Expected one of {', '.join(FIELDS)}, got {field!r}.")
    SUITES[name] = Suite(name, fields, inferred)
    SETS["own"] = replace(own, suites=(*(s for s in own.suites if s != name), name))
    return SUITES[name]


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
    find_suite(suite)
    available = [name for name, entry in SETS.items() if suite in entry.suites]
    if sim_set not in available:
        raise ValueError(
            f"sim_set: Expected a set of suite {suite} ({', '.join(available)}), got {sim_set!r}."
        )
    return SETS[sim_set]


def check_n_simulations(n: int, suite: str, sim_set: str, *, partial: bool = False) -> None:
    """Check the number of simulations of a set.

    Parameters
    ----------
    n : int
        Number of rows of the parameter table.
    suite, sim_set : str
        Names of the suite and the set.
    partial : bool, optional
        Whether the files may contain fewer simulations than the published ones.

    Raises
    ------
    ValueError
        If the number differs.
    """
    expected = find_set(sim_set, suite).n_simulations
    if find_suite(suite).mock or expected is None or n == expected or (partial and n < expected):
        return
    hint = " For a part of the set, use --params source.partial=true." if n < expected else ""
    raise ValueError(f"{suite} {sim_set}: Expected {expected} simulations, got {n}.{hint}")


def check_map_size(map_size: int, suite: str, *, partial: bool = False) -> None:
    """Check the size of published maps.

    Parameters
    ----------
    map_size : int
        Number of pixels per side.
    suite : str
        Suite of the maps. Maps of mock suites have any size.
    partial : bool, optional
        Whether the maps may be smaller than the published ones.

    Raises
    ------
    ValueError
        If the size differs.
    """
    if not find_suite(suite).mock and not partial and map_size != MAP_SIZE:
        raise ValueError(
            f"{suite}: Expected maps of {MAP_SIZE} pixels per side, as published, got {map_size}. "
            "For smaller maps, use --params source.partial=true."
        )


def check_ranges(theta: Theta, suite: str, sim_set: str) -> None:
    """Check that the parameters of a latin hypercube are in its ranges.

    This detects tables with another order of columns or of another suite. Other sets have
    parameters outside of the ranges and are not checked.

    Parameters
    ----------
    theta : (S, 6) float64
        Parameters in physical units.
    suite, sim_set : str
        Names of the suite and the set.

    Raises
    ------
    ValueError
        If a parameter is out of its range.
    """
    if sim_set != "LH":
        return
    entry = find_suite(suite)
    for name in entry.inferred:
        column, (low, high) = PARAMETER_NAMES.index(name), entry.ranges[name]
        outside = ~((theta[:, column] >= low) & (theta[:, column] <= high))
        if outside.any():
            row = int(np.argmax(outside))
            raise ValueError(
                f"{suite} {sim_set}: row {row}, {name}: Expected a value from {low:g} to {high:g}, "
                f"got {theta[row, column]:g}. The columns are {', '.join(PARAMETER_NAMES)}."
            )
