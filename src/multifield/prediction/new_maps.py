"""Maps without parameters, as a user names them: a file, a folder, or a file a field."""

from collections.abc import Mapping
from pathlib import Path

from multifield.config.prediction import AskedMaps
from multifield.core.arrays import Maps
from multifield.maps import open_maps

HOW = (
    "--params maps=/path/maps.npy for one field, maps=/path/to/folder for files that are named after their "
    "fields, or maps.Mgas=/path/a.npy,maps.T=/path/b.npy"
)


def open_new_maps(asked: AskedMaps, fields: tuple[str, ...], map_size: int) -> dict[str, Maps]:
    """Memory-map the maps that a run asks for.

    Parameters
    ----------
    asked : str, mapping of str to str, or None
        A file; a folder, see `find_new_maps`; or a file for each field.
    fields : tuple of str
        What the networks take, in the order of their channels.
    map_size : int
        [pixels] a side, of the maps the networks were trained on.

    Returns
    -------
    maps : dict of field to (N, L, L) float32
        In the order of `fields`, as many of each. A file with a single map may be (L, L).

    Raises
    ------
    FileNotFoundError, ValueError, TypeError
        If a file is absent, ambiguous, or does not hold such maps; names the file, the rule and what was
        found.
    """
    paths = find_new_maps(asked, fields)
    maps = {field: open_maps(path, single=True) for field, path in paths.items()}
    first = next(iter(paths))
    for field, each in maps.items():
        if each.shape[1] != map_size:
            raise ValueError(
                f"{paths[field]}: expected maps of {map_size} pixels a side, as the networks were trained "
                f"on, got {each.shape[1]}"
            )
        if len(each) != len(maps[first]):
            raise ValueError(
                f"{paths[field]}: expected {len(maps[first])} maps, as {paths[first]} has, got {len(each)}"
            )
    return maps


def find_new_maps(asked: AskedMaps, fields: tuple[str, ...]) -> dict[str, Path]:
    """Find the file of each field.

    In a folder it is ``Maps_<field>_*.npy`` or ``Images_<field>_*.npy``, as CMD names files, or
    ``<field>.npy``; there must be one a field.

    Parameters
    ----------
    asked, fields
        As for `open_new_maps`.

    Returns
    -------
    paths : dict of field to path

    Raises
    ------
    FileNotFoundError
        If nothing is asked for, or a folder lacks a field.
    ValueError
        If other fields are named than the networks take, one file is given for several, or a folder has
        several files of one field.
    """
    if asked is None:
        raise FileNotFoundError(f"maps: expected the maps to infer from, got none; give {HOW}")
    if isinstance(asked, Mapping):
        if set(asked) != set(fields):
            raise ValueError(
                f"maps: expected a file for each of {', '.join(fields)}, got {', '.join(asked)}"
            )
        return {field: Path(asked[field]).expanduser() for field in fields}
    path = Path(asked).expanduser()
    if path.is_dir():
        return {field: _find_in(path, field) for field in fields}
    if len(fields) > 1:
        raise ValueError(
            f"maps: expected a file for each of {', '.join(fields)}, got one, {asked}; give {HOW}"
        )
    return {fields[0]: path}


def _find_in(folder: Path, field: str) -> Path:
    patterns = (f"Maps_{field}_*.npy", f"Images_{field}_*.npy", f"{field}.npy")
    found = sorted(path for pattern in patterns for path in folder.glob(pattern))
    if not found:
        raise FileNotFoundError(
            f"{folder}: expected a file named {' or '.join(patterns)}; found none"
        )
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise ValueError(
            f"{folder}: expected one file of {field}, got {names}; name it with --params maps.{field}=..."
        )
    return found[0]
