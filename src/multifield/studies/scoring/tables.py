"""Predictions that any program made, from text, CSV or Parquet files."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from multifield import camels
from multifield.evaluation import Results, read_results
from multifield.evaluation.draws import TABLE
from multifield.evaluation.metrics import make_marginal
from multifield.studies.scoring.draws import Draws

PathLike = str | os.PathLike[str]
Names = Mapping[str, str]
"""Parameter -> column of a table."""

ROLES = {
    "true": ("true", "truth", "target"),
    "mean": ("mean", "mu", "pred", "predicted"),
    "std": ("std", "stddev", "sigma", "err", "error"),
}
"""Role -> words that stand before or after the name of a parameter."""
MAP, DRAW = "map", "draw"


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a file is read.

    Attributes
    ----------
    maps_per_simulation : int or None
        Number of maps per simulation. 1 for independent rows. None: that of the file, or 15.
    orientations : int or None
        Number of orientations of each map. None requires a table without repeated truths.
    parameters : tuple of str
        Parameters to score. Empty for all in the file.
    columns : mapping of str to mapping
        ``true``, ``mean`` or ``std`` -> parameter -> column, for columns that are not found by
        their names.
    truth : path or None
        Table of the true parameters, if the file has none.
    table : str
        Name of the parameter table of a CSV or Parquet file, such as ``IllustrisTNG_28``. Empty:
        that of the file, or CMD.
    """

    maps_per_simulation: int | None = None
    orientations: int | None = None
    parameters: tuple[str, ...] = ()
    columns: Mapping[str, Names] = field(default_factory=dict)
    truth: Path | None = None
    table: str = ""


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predictions of test maps.

    Attributes
    ----------
    results : Results
        Truth, means and standard deviations, rows ordered (orientation, simulation, map).
    n_orientations, maps_per_simulation : int
        Number of orientations of each map, and of maps per simulation.
    draws : (M, n, P) float64 or None
        Draws of the posteriors, if the file contains them.
    """

    results: Results
    n_orientations: int
    maps_per_simulation: int
    draws: Draws | None = None


def read_predictions(path: PathLike, layout: Layout) -> Predictions:
    """Read predictions, and check every value.

    Parameters
    ----------
    path : path-like
        The benchmark's text of 18 columns; or CSV or Parquet (``.csv``, ``.parquet``) with columns
        for truth, mean and standard deviation, or with one row per draw: ``map``, the parameters,
        and the truth as ``<parameter>_true``.
    layout : Layout
        How the file is read.

    Returns
    -------
    predictions : Predictions
        The predictions.

    Raises
    ------
    ValueError
        If columns are missing or ambiguous, a standard deviation is not positive, a value is not
        finite, or the truth differs between maps of a simulation. The message begins with the path.
    """
    try:
        return _read(Path(path), layout)
    except ValueError as error:
        text = str(error)
        raise ValueError(text if text.startswith(str(path)) else f"{path}: {text}") from error


def _read(path: Path, layout: Layout) -> Predictions:
    draws = None
    if path.suffix not in READERS:
        if layout.truth is not None or layout.table or any(layout.columns.values()):
            raise ValueError(
                "columns: Expected a CSV or Parquet file with --truth, --table or column names."
            )
        results = _select(read_results(path), layout.parameters)
    else:
        table = READERS[path.suffix](path)
        space = camels.find_table(layout.table or table.attrs.get(TABLE, camels.CMD.name))
        space.columns(layout.parameters)
        if MAP in table and any(name in table for name in space.names):
            results, draws = _read_draws(table, layout, space)
        else:
            results = _read_moments(table, layout, space)
    _check_values(results)
    n_orientations = _count_orientations(results, layout)
    n_maps = layout.maps_per_simulation or results.maps_per_simulation
    _check_truth(results, n_maps, n_orientations)
    return Predictions(results, n_orientations, n_maps, draws)


READERS: dict[str, Callable[[Path], Any]] = {
    ".csv": pd.read_csv,
    ".parquet": pd.read_parquet,
}


def _select(results: Results, parameters: tuple[str, ...]) -> Results:
    """Keep some parameters. The benchmark's files of N-body suites have numbers for all six."""
    if not parameters:
        return results
    results.space.columns(parameters)
    missing = [name for name in parameters if name not in results.inferred]
    if missing:
        raise ValueError(
            f"parameters: Expected some of {', '.join(results.inferred)}, got {missing[0]}."
        )
    kept = tuple(name for name in results.inferred if name in parameters)
    unused = [c for c, name in enumerate(results.space.names) if name not in kept]
    mean, std = results.mean.copy(), results.std.copy()
    mean[:, unused] = std[:, unused] = np.nan
    return replace(results, mean=mean, std=std, inferred=kept, joint=None)


# ---- one row per map ----


def _read_moments(table: Any, layout: Layout, space: camels.ParameterSpace) -> Results:
    """Read a table with columns for truth, mean and standard deviation."""
    found = {
        role: _find_columns(table, role, layout.columns.get(role, {}), space) for role in ROLES
    }
    names = _choose(layout.parameters, list(found["mean"]), "mean", table, space)
    truth = _read_truth(layout, len(table), space)
    for role in ("std", *(() if truth is not None else ("true",))):
        _choose(names, list(found[role]), role, table, space)
    theta, mean, std = (np.full((len(table), len(space)), np.nan) for _ in range(3))
    for name, column in zip(names, space.columns(names), strict=True):
        mean[:, column] = _numbers(table, found["mean"][name])
        std[:, column] = _numbers(table, found["std"][name])
        theta[:, column] = (
            _numbers(table, found["true"][name]) if truth is None else truth[:, column]
        )
    return Results(theta, mean, std, names, space=space)


def _find_columns(
    table: Any, role: str, told: Names, space: camels.ParameterSpace
) -> dict[str, str]:
    """Find the column of each parameter, by options or by its name."""
    for name, column in told.items():
        space.index(name)
        if column not in table:
            raise ValueError(
                f"--{role} {name}={column}: Expected one of the columns "
                f"{', '.join(map(str, table.columns))}."
            )
    found = dict(told)
    for name in space.names:
        if name in told:
            continue
        forms = {f"{a}_{b}" for word in ROLES[role] for a, b in ((name, word), (word, name))}
        lowered = {form.lower() for form in forms}
        matches = [str(column) for column in table.columns if _plain(column) in lowered]
        if len(matches) > 1:
            raise ValueError(
                f"columns: Expected one column for {role} of {name}, got {', '.join(matches)}. "
                f"Name it with --{role} {name}=COLUMN."
            )
        if matches:
            found[name] = matches[0]
    return {name: found[name] for name in space.names if name in found}


def _plain(column: object) -> str:
    return re.sub(r"[^a-z0-9]+", "_", str(column).lower()).strip("_")


def _choose(
    parameters: tuple[str, ...],
    present: Sequence[str],
    role: str,
    table: Any,
    space: camels.ParameterSpace,
) -> tuple[str, ...]:
    """Return the parameters to score; ValueError if the role has no column for one."""
    missing = [name for name in parameters if name not in present]
    if missing or not present:
        name = missing[0] if missing else space.names[0]
        word = ROLES[role][0]
        way = " Give the true parameters with --truth FILE." if role == "true" else ""
        raise ValueError(
            f"columns: Expected {name}_{word} or {word}_{name} for the {role} of {name}, got "
            f"{', '.join(map(str, table.columns))}. Name it with --{role} {name}=COLUMN.{way}"
        )
    return parameters or tuple(present)


def _numbers(table: Any, column: str) -> np.ndarray:
    try:
        numbers: np.ndarray = table[column].to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{column}: Expected numbers: {error}") from error
    return numbers


# ---- one row per draw ----


def _read_draws(table: Any, layout: Layout, space: camels.ParameterSpace) -> tuple[Results, Draws]:
    """Read draws of posteriors; all maps have the same number of them."""
    present = [name for name in space.names if name in table]
    missing = [name for name in layout.parameters if name not in present]
    if missing:
        raise ValueError(f"columns: Expected draws of {missing[0]}, got {', '.join(present)}.")
    names = tuple(name for name in present if not layout.parameters or name in layout.parameters)
    table = table.sort_values([MAP, DRAW] if DRAW in table else [MAP], kind="stable")
    maps, counts = np.unique(table[MAP].to_numpy(), return_counts=True)
    if counts.min() != counts.max() or counts[0] < 2:
        raise ValueError(
            "draws: Expected the same number of draws for every map, at least 2, got "
            f"{counts.min()} to {counts.max()}."
        )
    shape = (len(maps), int(counts[0]))
    draws = np.stack([_numbers(table, name).reshape(shape) for name in names], axis=2)
    _check_draws(draws, names, maps)
    truth = _read_truth(layout, len(maps), space)
    if truth is None:
        truth = _truth_of_draws(table, layout, names, shape, maps, space)
    mean, std = (np.full((len(maps), len(space)), np.nan) for _ in range(2))
    columns = list(space.columns(names))
    mean[:, columns], std[:, columns] = draws.mean(axis=1), draws.std(axis=1, ddof=1)
    return Results(truth, mean, std, names, space=space), draws


def _check_draws(draws: Draws, names: tuple[str, ...], maps: np.ndarray) -> None:
    bad = np.argwhere(~np.isfinite(draws))
    if len(bad):
        row, draw, column = bad[0]
        raise ValueError(
            f"{names[column]}: Expected finite draws, got {draws[row, draw, column]} in draw {draw} "
            f"of map {maps[row]}."
        )


def _truth_of_draws(
    table: Any,
    layout: Layout,
    names: tuple[str, ...],
    shape: tuple[int, int],
    maps: np.ndarray,
    space: camels.ParameterSpace,
) -> np.ndarray:
    """Read the truth, which is repeated for each draw of a map."""
    found = _find_columns(table, "true", layout.columns.get("true", {}), space)
    _choose(names, list(found), "true", table, space)
    theta = np.full((shape[0], len(space)), np.nan)
    for name, column in zip(names, space.columns(names), strict=True):
        values = _numbers(table, found[name]).reshape(shape)
        differ = np.flatnonzero((values != values[:, :1]).any(axis=1))
        if len(differ):
            row = differ[0]
            raise ValueError(
                f"{found[name]}: Expected one value per map, got {values[row].min():g} to "
                f"{values[row].max():g} for map {maps[row]}."
            )
        theta[:, column] = values[:, 0]
    return theta


# ---- the truth ----


def _read_truth(layout: Layout, n_rows: int, space: camels.ParameterSpace) -> np.ndarray | None:
    """Read the table of true parameters, (M, P), one row per row of the file or simulation."""
    if layout.truth is None:
        return None
    path = layout.truth
    if path.suffix in READERS:
        table = READERS[path.suffix](path)
        found = _find_columns(table, "true", layout.columns.get("true", {}), space)
        found |= {name: name for name in space.names if name in table}
        theta = np.full((len(table), len(space)), np.nan)
        for name, column in found.items():
            theta[:, space.index(name)] = _numbers(table, column)
    else:
        rows = np.loadtxt(path, ndmin=2)
        theta = np.full((len(rows), len(space)), np.nan)
        n = min(rows.shape[1], len(space))  # CMD's tables have a seventh column with a seed
        theta[:, :n] = rows[:, :n]
        theta = space.coordinates(theta)
    n_per_simulation = layout.maps_per_simulation or camels.MAPS_PER_SIMULATION
    n_maps = n_rows // (layout.orientations or 1)
    if len(theta) != n_rows:
        if len(theta) == n_maps:
            theta = np.tile(theta, (n_rows // n_maps, 1))
        elif len(theta) * n_per_simulation == n_maps:
            theta = np.repeat(theta, n_per_simulation, axis=0)
            theta = np.tile(theta, (n_rows // n_maps, 1))
        else:
            raise ValueError(
                f"--truth {path}: Expected {n_rows} rows, one per row of the predictions, or one "
                f"per simulation of {n_per_simulation} maps, got {len(theta)}."
            )
    return theta


def _count_orientations(results: Results, layout: Layout) -> int:
    """Return the number of orientations; ValueError if it must be told."""
    if layout.orientations is not None:
        return layout.orientations
    for n in range(8, 1, -1):
        copies = results.theta.reshape(n, -1, len(results.space)) if len(results) % n == 0 else None
        if copies is not None and np.array_equal(
            copies, np.broadcast_to(copies[:1], copies.shape), equal_nan=True
        ):
            raise ValueError(
                f"--orientations: Expected a number, because the true parameters repeat {n} times. "
                f"Use --orientations {n} if each map is there in {n} orientations, else 1."
            )
    return 1


def _check_values(results: Results) -> None:
    for name in results.inferred:
        make_marginal(results.space[name], *results.of(name))


def _check_truth(results: Results, n_maps: int, n_orientations: int) -> None:
    """Require one truth per simulation, and whole simulations."""
    block = n_maps * n_orientations
    advice = "Use --maps-per-simulation 1 for independent rows, --orientations for copies of maps."
    if len(results) % block:
        raise ValueError(
            f"rows: Expected a multiple of {block} ({n_maps} maps per simulation, {n_orientations} "
            f"orientations), got {len(results)}. {advice}"
        )
    rows = np.arange(len(results))
    first = rows % (len(results) // n_orientations) // n_maps * n_maps
    for name in results.inferred:
        truth = results.of(name)[0]
        differ = np.flatnonzero(truth != truth[first])
        if len(differ):
            row = differ[0]
            raise ValueError(
                f"true {name}: Expected one value per simulation of {n_maps} rows, got "
                f"{truth[first[row]]:g} in row {first[row]} and {truth[row]:g} in row {row}. {advice}"
            )
