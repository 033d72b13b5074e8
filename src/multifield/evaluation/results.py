"""True and inferred parameters of test maps, and the benchmark's results file.

====== ==================================================
letter meaning
====== ==================================================
M      rows: test maps, or maps times orientations
====== ==================================================
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from multifield import camels
from multifield.core.atomic_files import atomic_path
from multifield.core.checksums import sha256
from multifield.evaluation.joint import JointPosterior
from multifield.models.weights import load_whole, save_whole

Table = Float[np.ndarray, "..."]
"""(M, P) parameters in the column order of their table.

`check_tables` checks the shape, so that users without a runtime type checker get the error too.
"""

TITLE = re.compile(r"#\s*table (\S+), (\d+) maps per simulation:")
"""First line of results files of other tables than CMD's."""


@dataclass(frozen=True, eq=False)
class Results:
    """Truth, posterior mean and posterior standard deviation of every test map.

    Attributes
    ----------
    theta : (M, P) float64
        Coordinates of the true parameters; see `camels.ParameterSpace`. NaN where unknown.
    mean, std : (M, P) float64
        Posterior mean and standard deviation of the coordinates. Columns of inferred parameters are
        finite, the others are NaN.
    inferred : tuple of str
        Names of the inferred parameters.
    joint : JointPosterior or None
        Joint posteriors of the inferred parameters. None for independent Gaussians with `mean` and
        `std`.
    space : ParameterSpace
        Parameters of the columns. By default CMD's six.
    maps_per_simulation : int
        Number of maps per simulation.

    Raises
    ------
    ValueError
        If the shapes disagree, there is no row or no parameter, or NaN columns and `inferred`
        disagree.
    """

    theta: Table
    mean: Table
    std: Table
    inferred: tuple[str, ...] = camels.PARAMETER_NAMES
    joint: JointPosterior | None = None
    space: camels.ParameterSpace = camels.CMD
    maps_per_simulation: int = camels.MAPS_PER_SIMULATION

    def __post_init__(self) -> None:
        for name in ("theta", "mean", "std"):
            table = np.asarray(getattr(self, name), dtype=np.float64)
            object.__setattr__(self, name, table)
        check_tables(self.theta, self.mean, self.std, self.space)
        if not self.inferred:
            raise ValueError("inferred: Expected at least one parameter, got none.")
        self.space.columns(self.inferred)
        for label, table in (("mean", self.mean), ("std", self.std)):
            _check_values(label, table, self.inferred, self.space)
        if self.joint is not None and (
            len(self.joint) != len(self) or self.joint.parameters != self.inferred
        ):
            raise ValueError(
                f"joint: Expected {len(self)} rows of {', '.join(self.inferred)}, got "
                f"{len(self.joint)} of {', '.join(self.joint.parameters)}."
            )

    @property
    def posterior(self) -> JointPosterior:
        """Joint posteriors of the inferred parameters, independent Gaussians if none are given."""
        if self.joint is not None:
            return self.joint
        mean, std = self.mean[:, self.columns], self.std[:, self.columns]
        return JointPosterior.of_moments(mean, std, self.inferred, self.space)

    @property
    def truth(self) -> np.ndarray:
        """True values of the inferred parameters, (M, P)."""
        return self.theta[:, self.columns]

    @property
    def columns(self) -> list[int]:
        """Columns of the inferred parameters."""
        return list(self.space.columns(self.inferred))

    def __len__(self) -> int:
        """Count the rows M."""
        return len(self.theta)

    def of(self, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Give truth, mean and standard deviation (M,) of one parameter."""
        column = self.space.index(name)
        return self.theta[:, column], self.mean[:, column], self.std[:, column]

    def take(self, rows: np.ndarray | slice) -> "Results":
        """Keep some rows."""
        joint = None if self.joint is None else self.joint.take(rows)
        theta, mean, std = self.theta[rows], self.mean[rows], self.std[rows]
        return replace(self, theta=theta, mean=mean, std=std, joint=joint)

    def marginal(self, names: tuple[str, ...]) -> "Results":
        """Marginalize over all inferred parameters but some.

        Parameters
        ----------
        names : tuple of str
            Names of the parameters to keep.

        Returns
        -------
        results : Results
            The same rows. Means and standard deviations of other parameters are NaN.
        """
        unused = [c for c, name in enumerate(self.space.names) if name not in names]
        mean, std = self.mean.copy(), self.std.copy()
        mean[:, unused] = std[:, unused] = np.nan
        kept = tuple(name for name in self.inferred if name in names)
        joint = None if self.joint is None else self.joint.marginal(names)
        return replace(self, mean=mean, std=std, inferred=kept, joint=joint)


def check_tables(theta: Table, mean: Table, std: Table, space: camels.ParameterSpace) -> None:
    """Raise ValueError unless the three tables have shape (M, P) with the same M >= 1."""
    for name, table in {"theta": theta, "mean": mean, "std": std}.items():
        if table.ndim != 2 or table.shape[1] != len(space):
            raise ValueError(f"{name}: Expected shape (M, {len(space)}), got {table.shape}.")
        if len(table) != len(theta):
            raise ValueError(f"{name}: Expected {len(theta)} rows as in theta, got {len(table)}.")
    if len(theta) == 0:
        raise ValueError("theta: Expected at least one row, got none.")


def _check_values(
    label: str, table: Table, inferred: tuple[str, ...], space: camels.ParameterSpace
) -> None:
    for column, name in enumerate(space.names):
        values = table[:, column]
        bad = ~np.isfinite(values) if name in inferred else ~np.isnan(values)
        if bad.any():
            row = int(np.argmax(bad))
            rule = "finite values" if name in inferred else "NaN (not inferred)"
            raise ValueError(f"{label} of {name}: Expected {rule}, got {values[row]} in row {row}.")


def joint_results(
    theta: Table,
    posterior: JointPosterior,
    maps_per_simulation: int = camels.MAPS_PER_SIMULATION,
) -> Results:
    """Make results of joint posteriors, with their moments.

    Parameters
    ----------
    theta : (M, P) float64
        Coordinates of the true parameters. NaN where unknown.
    posterior : JointPosterior
        Posteriors of the M rows.
    maps_per_simulation : int, optional
        Number of maps per simulation.

    Returns
    -------
    results : Results
        Truth, means, standard deviations and the posteriors.
    """
    columns = list(posterior.space.columns(posterior.parameters))
    mean = np.full((len(posterior), len(posterior.space)), np.nan)
    std = mean.copy()
    mean[:, columns], covariance = posterior.moments()
    std[:, columns] = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    return Results(
        theta, mean, std, posterior.parameters, posterior, posterior.space, maps_per_simulation
    )


def join_results(parts: Sequence[Results]) -> Results:
    """Join rows of several results with the same parameters.

    Parameters
    ----------
    parts : sequence of Results
        Results to join, in this order.

    Returns
    -------
    results : Results
        All rows.
    """
    tables = ([getattr(part, name) for part in parts] for name in ("theta", "mean", "std"))
    theta, mean, std = (np.concatenate(table) for table in tables)
    joints = [part.joint for part in parts if isinstance(part.joint, JointPosterior)]
    joint = JointPosterior.joined(joints) if len(joints) == len(parts) else None
    return replace(parts[0], theta=theta, mean=mean, std=std, joint=joint)


def comparable(results: Results, train_suite: str, test_suite: str) -> Results:
    """Keep the parameters that can be compared with the truth. The others become NaN.

    A parameter is dropped if it means something else in the test suite, has no effect there, or is
    not in the parameter table of the test suite.

    Parameters
    ----------
    results : Results
        Posteriors of maps of `test_suite` by a network trained on `train_suite`.
    train_suite, test_suite : str
        Names of the suites; see `camels.scored_parameters`.

    Returns
    -------
    comparable : Results
        The same rows with fewer inferred parameters.

    Raises
    ------
    ValueError
        If no parameter is left.
    """
    names = camels.scored_parameters(train_suite, test_suite, results.space)
    unknown = np.isnan(results.theta).all(axis=0)
    return results.marginal(
        tuple(
            name
            for name, skip in zip(results.space.names, unknown, strict=True)
            if name in results.inferred and name in names and not skip
        )
    )


# ---- the eight orientations of a map ----


def average_orientations(results: Results, n_orientations: int) -> Results:
    """Combine the orientations of each map into one row.

    The posterior of a map is the equal mixture of the posteriors of its orientations, so
    mean = <mean_o> and std^2 = <std_o^2> + var(mean_o).

    Parameters
    ----------
    results : Results
        Rows ordered (orientation, simulation, map): row o M + m is map m in orientation o.
    n_orientations : int
        Number of orientations, 8 in the benchmark.

    Returns
    -------
    averaged : Results
        M rows, in the order of the first orientation.

    Raises
    ------
    ValueError
        If `n_orientations` does not divide the number of rows, or copies of a map differ in their
        truth (the rows have another order).
    """
    if n_orientations < 1 or len(results) % n_orientations:
        raise ValueError(
            f"n_orientations: Expected a divisor of {len(results)} rows, got {n_orientations}."
        )
    stacked = (n_orientations, -1, len(results.space))
    theta, mean, std = (
        table.reshape(stacked) for table in (results.theta, results.mean, results.std)
    )
    if not np.array_equal(theta, np.broadcast_to(theta[0], theta.shape), equal_nan=True):
        raise ValueError(
            "theta: Expected rows ordered (orientation, simulation, map), got another order."
        )
    joint = None if results.joint is None else results.joint.mixed(n_orientations)
    mean, std = mixture_moments(mean, std)
    return replace(results, theta=theta[0], mean=mean, std=std, joint=joint)


def mixture_moments(mean: np.ndarray, std: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute mean and standard deviation of an equal mixture of posteriors.

    Parameters
    ----------
    mean, std : (K, ...) float64
        Mean and standard deviation of each of the K posteriors.

    Returns
    -------
    mean, std : (...) float64
        Mean and standard deviation of the mixture.
    """
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
    """Name the results file of a network, as the benchmark does.

    Parameters
    ----------
    train_suite, train_field, train_label : str
        Suite, fields (joined with ``_``) and `camels.recipe_label` of the training maps.
    test_suite, test_field, test_label : str
        The same of the test maps.
    sim_set : str
        Set of the test maps.

    Returns
    -------
    name : str
        Name of the text file.
    """
    train = camels.run_name(train_suite, train_field, train_label)
    test = camels.run_name(test_suite, test_field, test_label)
    return f"results_train_{train}_test_{test}_{camels.find_set(sim_set, test_suite).name}.txt"


def joint_path(path: str | os.PathLike[str]) -> Path:
    """Return the path of the joint posteriors of a results file.

    Parameters
    ----------
    path : path-like
        Text file of the results.

    Returns
    -------
    path : Path
        File with the same name and ``_joint.pt`` in place of the ending.
    """
    path = Path(path)
    return path.with_name(f"{path.stem}_joint.pt")


def write_results(path: str | os.PathLike[str], results: Results) -> None:
    """Write the benchmark's text file: P true values, P means and P standard deviations per row.

    It has no header for CMD's six parameters, and a comment with the table and its parameters for
    others. Values are coordinates with ``%.18e``, which preserves float64 bitwise. The file is
    replaced atomically. Joint posteriors are written to `joint_path`.

    Parameters
    ----------
    path : path-like
        Text file to write.
    results : Results
        Rows to write.
    """
    rows = np.hstack([results.theta, results.mean, results.std])
    # savetxt compresses a path that ends in .gz, but not an open file
    with atomic_path(path) as partial, partial.open("w", encoding="utf-8") as file:
        n_maps, space = results.maps_per_simulation, results.space
        if space.published != camels.CMD or n_maps != camels.MAPS_PER_SIMULATION:
            names = " ".join(space.names)
            file.write(f"# table {space.name}, {n_maps} maps per simulation: {names}\n")
        np.savetxt(file, rows)
    if results.joint is None:
        joint_path(path).unlink(missing_ok=True)  # of an earlier run
    else:
        save_whole(joint_path(path), {"results": sha256(Path(path)), **results.joint.content()})


def read_results(path: str | os.PathLike[str]) -> Results:
    """Read a results file of this package or of the benchmark.

    Parameters
    ----------
    path : path-like
        Text file with 3 P numbers per line, separated by blanks. Without a comment that names the
        table, the parameters are CMD's six.

    Returns
    -------
    results : Results
        With the joint posteriors in `joint_path`, if that file exists. A parameter whose mean and
        std are NaN in every row counts as not inferred. The benchmark's files of N-body suites
        contain meaningless numbers for the astrophysical parameters: score them on
        `camels.COSMOLOGY`.

    Raises
    ------
    ValueError
        If the file is empty, not numeric or does not have 3 P columns, or a mean or std is not
        finite in some rows only, or the joint posteriors belong to other results. The message
        begins with the path.
    """
    rows, space, n_maps = _read_rows(Path(path))
    joint = _read_joint(Path(path))
    theta, mean, std = np.split(rows, 3, axis=1)
    unused = np.isnan(mean).all(axis=0) & np.isnan(std).all(axis=0)
    inferred = tuple(name for name, skip in zip(space.names, unused, strict=True) if not skip)
    try:
        of_posteriors = space if joint is None else joint.space
        return Results(theta, mean, std, inferred, joint, of_posteriors, n_maps)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _read_joint(path: Path) -> JointPosterior | None:
    """Read the joint posteriors of a results file, if it has any."""
    source = joint_path(path)
    if not source.exists():
        return None
    content = load_whole(source)
    if not isinstance(content, dict) or content.get("results") != sha256(path):
        raise ValueError(
            f"{source}: Expected the joint posteriors of {path.name}, got those of other results. "
            "Delete it to use means and standard deviations only, or run evaluate again."
        )
    return JointPosterior.from_content(content)


def _read_rows(path: Path) -> tuple[np.ndarray, camels.ParameterSpace, int]:
    n_columns = 3 * len(camels.CMD)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        title = TITLE.match(lines[0]) if lines else None
        space = camels.find_table(title[1]) if title else camels.CMD
        n_maps = int(title[2]) if title else camels.MAPS_PER_SIMULATION
        n_columns = 3 * len(space)
        lines = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
        rows = np.loadtxt(lines, ndmin=2) if lines else np.empty((0, n_columns))
    except ValueError as error:  # UnicodeDecodeError is one
        raise ValueError(f"{path}: Expected {n_columns} columns of numbers: {error}") from error
    if not len(rows):
        raise ValueError(f"{path}: Expected {n_columns} numbers per map, got an empty file.")
    if rows.shape[1] != n_columns:
        raise ValueError(f"{path}: Expected {n_columns} columns, got {rows.shape[1]}.")
    return rows, space, n_maps
