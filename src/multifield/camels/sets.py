"""Checks of published files against the sets of suites."""

from collections.abc import Sequence

import numpy as np

from multifield.camels.parameters import ParameterSpace
from multifield.camels.schema import SimulationSet
from multifield.camels.suites import find_set, find_suite
from multifield.core.arrays import Theta

RANGE_TOLERANCE = 1e-6  # of the range; tables and documents have up to seven digits
FIDUCIAL_TOLERANCE = 1e-3  # relative; tables round fiducial values to three digits


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


def check_map_size(map_size: int, suite: str, sim_set: str, *, partial: bool = False) -> None:
    """Check the size of published maps.

    Parameters
    ----------
    map_size : int
        Number of pixels per side.
    suite, sim_set : str
        Names of the suite and the set. Maps of mock suites have any size.
    partial : bool, optional
        Whether the maps may be smaller than the published ones.

    Raises
    ------
    ValueError
        If the size differs.
    """
    expected = find_set(sim_set, suite).map_size
    if not find_suite(suite).mock and not partial and map_size != expected:
        raise ValueError(
            f"{suite} {sim_set}: Expected maps of {expected} pixels per side, as published, got "
            f"{map_size}. For smaller maps, use --params source.partial=true."
        )


def check_ranges(theta: Theta, suite: str, sim_set: str) -> None:
    """Check that parameters are in the ranges of their set.

    Parameters
    ----------
    theta : (S, P) float64
        Coordinates of the parameters of the default table of the set.
    suite, sim_set : str
        Names of the suite and the set.

    Raises
    ------
    ValueError
        If a set is drawn from ranges, and a parameter that affects its maps is out of its range.
    """
    entry = find_set(sim_set, suite)
    if entry.design.rows != "spread":
        return
    try:
        _check_spread(entry.space.physical(theta), entry.space, entry.inferred)
    except ValueError as error:
        raise ValueError(f"{suite} {sim_set}: {error}") from None


def check_rows(theta: Theta, space: ParameterSpace, sim_set: SimulationSet) -> None:
    """Check that the rows of a table are those of a set.

    This detects tables with another order of columns, of another suite or of another set. It cannot
    distinguish two columns with the same range.

    Parameters
    ----------
    theta : (S, P) float64
        Parameters in physical units.
    space : ParameterSpace
        Parameters of the table.
    sim_set : SimulationSet
        Set of the table.

    Raises
    ------
    ValueError
        If a value does not fit its column.
    """
    names = space.names if sim_set.infers == "all" else space.choose(sim_set.infers)
    rows = sim_set.design.rows
    if rows in ("spread", "one_at_a_time"):
        _check_spread(theta, space, names)
    if rows == "one_at_a_time":
        _check_one_at_a_time(theta, space, names, sim_set.fiducial)
    if rows in ("fiducial", "extreme"):
        checked = names if rows == "fiducial" else space.cosmology
        fiducial = np.array([sim_set.fiducial[name] for name in checked])
        _raise_at_first(
            ~_is_fiducial(theta[:, list(space.columns(checked))], fiducial),
            theta,
            space,
            checked,
            [f"the fiducial value {value:g}" for value in fiducial],
        )


def _check_spread(theta: Theta, space: ParameterSpace, names: Sequence[str]) -> None:
    low, high = np.array([space[name].range for name in names]).T
    margin = RANGE_TOLERANCE * (high - low)
    values = theta[:, list(space.columns(names))]
    outside = ~((values >= low - margin) & (values <= high + margin))
    wanted = [f"a value from {a:g} to {b:g}" for a, b in zip(low, high, strict=True)]
    _raise_at_first(outside, theta, space, names, wanted)


def _check_one_at_a_time(
    theta: Theta, space: ParameterSpace, names: Sequence[str], fiducial: dict[str, float]
) -> None:
    free = [name for name in names if not space[name].tied_to]
    values = theta[:, list(space.columns(free))]
    varied = ~_is_fiducial(values, np.array([fiducial[name] for name in free]))
    many = np.flatnonzero(varied.sum(axis=1) > 1)
    if len(many):
        found = ", ".join(np.array(free)[varied[many[0]]])
        raise ValueError(
            f"row {many[0]}: Expected at most one parameter that differs from its fiducial value, "
            f"got {found}. The columns are {', '.join(space.names)}."
        )


def _is_fiducial(values: Theta, fiducial: np.ndarray) -> np.ndarray:
    close: np.ndarray = np.isclose(values, fiducial, rtol=FIDUCIAL_TOLERANCE, atol=0.0)
    return close


def _raise_at_first(
    wrong: np.ndarray,
    theta: Theta,
    space: ParameterSpace,
    names: Sequence[str],
    wanted: Sequence[str],
) -> None:
    """Raise an error for the first wrong value, by column."""
    if not wrong.any():
        return
    column = int(np.argmax(wrong.any(axis=0)))
    row = int(np.argmax(wrong[:, column]))
    raise ValueError(
        f"row {row}, {names[column]}: Expected {wanted[column]}, got "
        f"{theta[row, space.index(names[column])]:g}. The columns are {', '.join(space.names)}."
    )
