"""True and inferred parameters of test maps, and the benchmark's 18-column file that holds them.

====== ==================================================
letter meaning
====== ==================================================
M      rows: test maps, or maps times orientations
====== ==================================================
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from multifield import camels
from multifield.core.atomic_files import atomic_path

Table = Float[np.ndarray, "..."]
"""(M, 6) parameters in CMD's column order.

The shape is checked by hand, not by the type, so that a user without the type checker gets the
error too.
"""

N_PARAMETERS = len(camels.PARAMETERS)
N_COLUMNS = 3 * N_PARAMETERS


@dataclass(frozen=True, eq=False)
class Results:
    """Truth, posterior mean and posterior standard deviation of every test map.

    Attributes
    ----------
    theta : (M, 6) float64
        True parameters in physical units, columns as `camels.PARAMETERS`; NaN where unknown.
    mean, std : (M, 6) float64
        Posterior mean and standard deviation in physical units. Columns of parameters that were not
        inferred hold NaN, the others are finite.
    inferred : tuple of str
        Names of the parameters that were inferred.

    Raises
    ------
    ValueError
        If the shapes disagree, no row or no parameter is there, or NaN and `inferred` contradict.
    """

    theta: Table
    mean: Table
    std: Table
    inferred: tuple[str, ...] = camels.PARAMETER_NAMES

    def __post_init__(self) -> None:
        for name in ("theta", "mean", "std"):
            table = np.asarray(getattr(self, name), dtype=np.float64)
            object.__setattr__(self, name, table)
        check_tables(self.theta, self.mean, self.std)
        if not self.inferred:
            raise ValueError("inferred: expected at least one parameter, got none")
        parameter_columns(self.inferred)
        _check_values("mean", self.mean, self.inferred)
        _check_values("std", self.std, self.inferred)

    def __len__(self) -> int:
        """Give the number of rows M."""
        return len(self.theta)


def check_tables(theta: Table, mean: Table, std: Table) -> None:
    """Raise ValueError unless the three are (M, 6) with one M >= 1."""
    for name, table in {"theta": theta, "mean": mean, "std": std}.items():
        if table.ndim != 2 or table.shape[1] != N_PARAMETERS:
            raise ValueError(f"{name}: expected shape (M, {N_PARAMETERS}), got {table.shape}")
        if len(table) != len(theta):
            raise ValueError(f"{name}: expected {len(theta)} rows as theta has, got {len(table)}")
    if len(theta) == 0:
        raise ValueError("theta: expected at least one row, got none")


def parameter_columns(parameters: tuple[str, ...]) -> tuple[int, ...]:
    """Columns of named parameters; ValueError for an unknown or repeated name."""
    for name in parameters:
        if name not in camels.PARAMETER_NAMES:
            known = ", ".join(camels.PARAMETER_NAMES)
            raise ValueError(f"parameters: expected some of {known}; got {name!r}")
    if len(set(parameters)) < len(parameters):
        raise ValueError(f"parameters: expected each once, got {', '.join(parameters)}")
    return tuple(camels.PARAMETER_NAMES.index(name) for name in parameters)


def _check_values(label: str, table: Table, inferred: tuple[str, ...]) -> None:
    for column, name in enumerate(camels.PARAMETER_NAMES):
        values = table[:, column]
        bad = ~np.isfinite(values) if name in inferred else ~np.isnan(values)
        if bad.any():
            row = int(np.argmax(bad))
            rule = "finite values" if name in inferred else "NaN, as it is not inferred,"
            raise ValueError(f"{label} of {name}: expected {rule} got {values[row]} in row {row}")


def comparable(results: Results, train_suite: str, test_suite: str) -> Results:
    """Keep the parameters that can be compared with the truth; the others become NaN.

    Parameters
    ----------
    results : Results
        Of a network trained on `train_suite`, over maps of `test_suite`.
    train_suite, test_suite : str
        See `camels.scored_parameters`.

    Returns
    -------
    comparable : Results
        Without parameters that mean another thing in the suite tested, that do not act in it, or whose
        truth its table does not give.

    Raises
    ------
    ValueError
        If none is left.
    """
    names = camels.scored_parameters(train_suite, test_suite)
    columns = {
        name: camels.PARAMETER_NAMES.index(name) for name in results.inferred if name in names
    }
    kept = {name: c for name, c in columns.items() if not np.isnan(results.theta[:, c]).all()}
    unused = [c for c in range(N_PARAMETERS) if c not in kept.values()]
    mean, std = results.mean.copy(), results.std.copy()
    mean[:, unused] = std[:, unused] = np.nan
    return Results(results.theta, mean, std, tuple(kept))


# ---- the eight orientations of a map ----


def average_orientations(results: Results, n_orientations: int) -> Results:
    """Combine the orientations of each map into one row.

    The posterior of a map is taken as the equal mixture of those of its orientations, so
    mean = <mean_o> and std^2 = <std_o^2> + var(mean_o).

    Parameters
    ----------
    results : Results
        Rows ordered (orientation, simulation, map): row o M + m is map m in orientation o.
    n_orientations : int
        How many orientations there are, 8 in the benchmark.

    Returns
    -------
    averaged : Results
        M rows, in the order of the first orientation.

    Raises
    ------
    ValueError
        If the rows do not divide by `n_orientations`, or copies of a map differ in their truth, as
        they do in any other order.
    """
    if n_orientations < 1 or len(results) % n_orientations:
        raise ValueError(
            f"n_orientations: expected a divisor of {len(results)} rows, got {n_orientations}"
        )
    stacked = (n_orientations, -1, N_PARAMETERS)
    theta, mean, std = (
        table.reshape(stacked) for table in (results.theta, results.mean, results.std)
    )
    if not np.array_equal(theta, np.broadcast_to(theta[0], theta.shape), equal_nan=True):
        raise ValueError("theta: expected rows ordered (orientation, simulation, map), got another")
    return Results(theta[0], *mixture_moments(mean, std), results.inferred)


def mixture_moments(mean: np.ndarray, std: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the equal mixture of the posteriors along axis 0."""
    return mean.mean(axis=0), np.sqrt(np.mean(std**2, axis=0) + np.var(mean, axis=0))


# ---- the file ----


def results_name(
    train_suite: str,
    train_field: str,
    train_label: str,
    test_suite: str,
    test_field: str,
    test_label: str,
    sim_set: str,
) -> str:
    """Name the file of a network trained on one suite and tested on one, as the benchmark does.

    The labels are `camels.recipe_label`; fields are joined with ``_``.
    """
    train = camels.run_name(train_suite, train_field, train_label)
    test = camels.run_name(test_suite, test_field, test_label)
    return f"results_train_{train}_test_{test}_{camels.find_set(sim_set, test_suite).name}.txt"


def write_results(path: str | os.PathLike[str], results: Results) -> None:
    """Write the benchmark's text file: 6 true values, 6 means, 6 standard deviations a row.

    No header, physical units, ``%.18e``, which float64 survives bit for bit. The file appears
    whole or not at all.
    """
    rows = np.hstack([results.theta, results.mean, results.std])
    # an open file, as savetxt would compress a path that ends in .gz
    with atomic_path(path) as partial, partial.open("w", encoding="utf-8") as file:
        np.savetxt(file, rows)


def read_results(path: str | os.PathLike[str]) -> Results:
    """Read an 18-column results file, ours or anybody's.

    Parameters
    ----------
    path : path-like
        Text, 18 numbers a line separated by blanks; lines that begin with ``#`` are skipped.

    Returns
    -------
    results : Results
        A parameter whose mean and std are NaN in every row counts as not inferred. The benchmark's
        own files of N-body suites hold numbers there that mean nothing: score them on
        `camels.COSMOLOGY`.

    Raises
    ------
    ValueError
        If the file is empty, not numeric, does not have 18 columns, or holds a mean or std that is
        not finite in some rows only. The message begins with the path.
    """
    rows = _read_rows(Path(path))
    theta, mean, std = np.split(rows, 3, axis=1)
    unused = np.isnan(mean).all(axis=0) & np.isnan(std).all(axis=0)
    inferred = tuple(
        name for name, skip in zip(camels.PARAMETER_NAMES, unused, strict=True) if not skip
    )
    try:
        return Results(theta, mean, std, inferred)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _read_rows(path: Path) -> np.ndarray:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        lines = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
        rows = np.loadtxt(lines, ndmin=2) if lines else np.empty((0, N_COLUMNS))
    except ValueError as error:  # UnicodeDecodeError is one
        raise ValueError(f"{path}: expected {N_COLUMNS} columns of numbers; {error}") from error
    if not len(rows):
        raise ValueError(f"{path}: expected a row of {N_COLUMNS} numbers a map, got an empty file")
    if rows.shape[1] != N_COLUMNS:
        raise ValueError(f"{path}: expected {N_COLUMNS} columns, got {rows.shape[1]}")
    return rows
