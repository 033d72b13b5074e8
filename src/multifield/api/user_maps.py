"""Maps and parameters of a user, stored as a suite."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from multifield import camels
from multifield.core.arrays import Theta
from multifield.core.atomic_files import atomic_path
from multifield.data.map_files import link_file, save_maps

OWN = "own"
"""Set of maps of a user, if their suite is not registered."""
Source = np.ndarray | str | os.PathLike[str]


def write_user_maps(
    name: str,
    fields: Sequence[str],
    maps: Mapping[str, Source] | Source,
    theta: Source,
    folder: Path,
    sim_set: str = OWN,
) -> str:
    """Write or link maps and parameters of a user under CMD's names, and register the suite.

    A suite that `camels.add_suites` registered determines parameters and box, if it has the set.
    Otherwise a suite of six or two parameters is registered.

    Parameters
    ----------
    name : str
        Name of the suite.
    fields : sequence of str
        Names of its fields.
    maps : mapping of str to array or path, array, or path
        Maps of each field.
    theta : array or path
        Parameters of the simulations.
    folder : Path
        Folder for the files.
    sim_set : str, optional
        Name of the set, if the suite is registered.

    Returns
    -------
    sim_set : str
        Name of the set in the names of the files.
    """
    given = maps if isinstance(maps, Mapping) else {fields[0]: maps}
    if set(given) != set(fields):
        raise ValueError(f"maps: Expected fields {', '.join(fields)}, got {', '.join(given)}.")
    registered = camels.SUITES.get(name)
    if registered is not None and registered.own and sim_set in registered.sets:
        table = _read_theta(theta, registered.sets[sim_set].space.names)
    else:
        sim_set, table = OWN, _read_theta(theta)
        n = len(camels.COSMOLOGY)
        inferred = camels.COSMOLOGY if table.shape[1] == n else camels.PARAMETER_NAMES
        camels.add_suite(name, tuple(fields), inferred)
    of_set = camels.find_set(sim_set, name)
    for field in fields:
        source, path = given[field], folder / camels.maps_names(field, name, sim_set)[0]
        if isinstance(source, np.ndarray):
            _check_maps(source, field, len(table), of_set.maps_per_simulation)
            save_maps(path, source)
            continue
        if path.exists() and Path(source).resolve() != path.resolve():
            path.unlink()  # from an earlier call
        link_file(Path(source), path)
    whole = np.ones((len(table), len(of_set.space)))
    whole[:, : table.shape[1]] = table
    with atomic_path(folder / camels.theta_names(name, sim_set)[0]) as partial:
        np.savetxt(partial, whole, fmt="%.17g", header=" ".join(of_set.space.names))
    return sim_set


def _read_theta(theta: Source, names: Sequence[str] = camels.PARAMETER_NAMES) -> Theta:
    """Read parameters in the columns `names`. Of CMD's six, two may be given alone."""
    n_columns = {len(names)}
    wanted = f"{len(names)} columns ({', '.join(names)})"
    if names == camels.PARAMETER_NAMES:
        n_columns.add(len(camels.COSMOLOGY))
        wanted += f" or the first {len(camels.COSMOLOGY)}"
    if not isinstance(theta, np.ndarray):
        table = np.loadtxt(Path(theta), ndmin=2)
    else:
        table = np.asarray(theta, np.float64)
    if table.ndim != 2 or table.shape[1] not in n_columns or not np.isfinite(table).all():
        raise ValueError(
            f"theta: Expected finite numbers, one row per simulation, in {wanted}, got shape "
            f"{table.shape}."
        )
    return table


def _check_maps(maps: np.ndarray, field: str, n_simulations: int, n_maps: int) -> None:
    expected = n_maps * n_simulations
    if maps.dtype != np.float32:
        raise TypeError(
            f"maps of {field}: Expected float32, got {maps.dtype.name}. Convert them with "
            "maps.astype(np.float32)."
        )
    if maps.ndim != 3 or maps.shape[1] != maps.shape[2] or len(maps) != expected:
        raise ValueError(
            f"maps of {field}: Expected shape ({expected}, L, L), {n_maps} maps per "
            f"simulation of theta ({n_simulations}), got {maps.shape}."
        )
