"""Sets of simulations that a suite has, and suites of a user's own."""

import re
from dataclasses import dataclass, replace

import numpy as np

from multifield.camels.fields import FIELDS, MAP_SIZE
from multifield.camels.parameters import PARAMETER_NAMES, PARAMETERS
from multifield.camels.suites import SUITES, Suite, find_suite
from multifield.core.arrays import Theta


@dataclass(frozen=True)
class SimulationSet:
    """One way in which the simulations of a suite differ from each other.

    Attributes
    ----------
    name : str
        As in file names.
    meaning : str
    n_simulations : int or None
        None where the number differs from release to release.
    n_columns : tuple of int
        How many columns its parameter table may have. Of six all are CMD's; of 28, which are in the units
        of IllustrisTNG's own code, the first two.
    suites : tuple of str
        That have it.
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
        # 66 simulations of six parameters at first; 28 parameters and other numbers since
        SimulationSet("1P", "one parameter at a time", None, (_SIX, _EXTENDED), _PUBLISHED),
        SimulationSet("EX", "extreme or no feedback", 4, (_SIX,), _PUBLISHED),
        SimulationSet("BE", "butterfly effect: one model, one seed", 27, (_SIX,), _OF_ILLUSTRIS),
        SimulationSet("SB28", "Sobol sequence", 2048, (_EXTENDED,), _OF_ILLUSTRIS),
        SimulationSet("own", "simulations of a user's own", None, (_SIX,), ()),  # see `add_suite`
    )
}
"""The sets of CMD. A mock suite has LH alone, of any number of simulations."""


def add_suite(name: str, fields: tuple[str, ...], inferred: tuple[str, ...]) -> Suite:
    """Make a suite of a user's own known in this process, with the set ``own``.

    Parameters
    ----------
    name : str
        Name for files and messages: letters, digits, ``-`` and ``_``.
    fields : tuple of str
        Names of its fields, of `FIELDS`.
    inferred : tuple of str
        Names of the parameters that act in it.

    Returns
    -------
    suite : Suite
        The suite; one of the user's of the same name is replaced.

    Raises
    ------
    ValueError
        If the name is CMD's or a mock suite's, cannot be a file's, or a field is unknown.
    """
    own = SETS["own"]
    if name in SUITES and name not in own.suites:
        raise ValueError(f"suite: {name} is a suite of CMD or a mock one. Choose another name.")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise ValueError(f"suite: Expected letters, digits, - and _, got {name!r}.")
    for field in fields:
        if field not in FIELDS:
            raise ValueError(f"field: Expected some of {', '.join(FIELDS)}, got {field!r}.")
    SUITES[name] = Suite(name, fields, inferred)
    SETS["own"] = replace(own, suites=(*(s for s in own.suites if s != name), name))
    return SUITES[name]


def find_set(sim_set: str, suite: str) -> SimulationSet:
    """Look up a set of a suite; ValueError names those that the suite has."""
    find_suite(suite)
    available = [name for name, entry in SETS.items() if suite in entry.suites]
    if sim_set not in available:
        raise ValueError(f"sim_set: suite {suite} has {', '.join(available)}; got {sim_set!r}")
    return SETS[sim_set]


def check_n_simulations(n: int, suite: str, sim_set: str, *, partial: bool = False) -> None:
    """Require the number of simulations that a set has.

    Parameters
    ----------
    n : int
        Rows of its parameter table.
    suite, sim_set : str
    partial : bool, optional
        Whether there may be fewer: somebody's own cut of the files.

    Raises
    ------
    ValueError
        Naming the suite, the set, the number it has and `n`.
    """
    expected = find_set(sim_set, suite).n_simulations
    if find_suite(suite).mock or expected is None or n == expected or (partial and n < expected):
        return
    hint = "; for a part of the set give --params source.partial=true" if n < expected else ""
    raise ValueError(f"{suite} {sim_set}: expected {expected} simulations, got {n}{hint}")


def check_map_size(map_size: int, suite: str, *, partial: bool = False) -> None:
    """Require the size that published maps have.

    Parameters
    ----------
    map_size : int
        Pixels per side.
    suite : str
        Suite of the maps; mock suites have any size.
    partial : bool, optional
        Whether the files may be somebody's own cut.

    Raises
    ------
    ValueError
        Naming the suite, the size it has and `map_size`.
    """
    if not find_suite(suite).mock and not partial and map_size != MAP_SIZE:
        raise ValueError(
            f"{suite}: expected maps of {MAP_SIZE} pixels per side, as published, got {map_size}. For "
            "files that you made smaller give --params source.partial=true"
        )


def check_ranges(theta: Theta, suite: str, sim_set: str) -> None:
    """Require the parameters of a latin hypercube to lie in it; other sets leave it on purpose.

    A table whose columns are in another order, or of another suite, is found by it.

    Parameters
    ----------
    theta : (S, 6) float64
        Physical units.
    suite, sim_set : str

    Raises
    ------
    ValueError
        Naming the row, the parameter, its range and the value.
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
                f"{suite} {sim_set}: row {row}, {name}: expected a value from {low:g} to {high:g}, "
                f"got {theta[row, column]:g}; the columns are {', '.join(PARAMETER_NAMES)}"
            )
