"""Maps with unknown parameters: one file, a folder, or one file per field."""

from collections.abc import Mapping
from pathlib import Path

from multifield.config.prediction import AskedMaps
from multifield.core.arrays import Maps
from multifield.core.checksums import sha256
from multifield.maps import open_maps
from multifield.maps.memory import source_name

HOW = (
    "--params maps=/path/maps.npy for one field, maps=/path/to/folder for files named after their "
    "fields, or maps.Mgas=/path/a.npy,maps.T=/path/b.npy"
)


def open_new_maps(asked: AskedMaps, fields: tuple[str, ...]) -> dict[str, Maps]:
    """Memory-map the maps of a run.

    Parameters
    ----------
    asked : str, mapping of str to str, or None
        Path of a file or of a folder (see `find_new_maps`), or field -> path.
    fields : tuple of str
        Fields of the networks, in the order of their channels.

    Returns
    -------
    maps : dict of field to (N, L, L) float32
        Raw maps in the order of `fields`, with the same N and L. A file with a single map may be
        (L, L).

    Raises
    ------
    FileNotFoundError, ValueError, TypeError
        If a file is absent, ambiguous, or does not contain such maps.
    """
    paths = find_new_maps(asked, fields)
    maps = {field: open_maps(path, single=True) for field, path in paths.items()}
    first = next(iter(paths))
    (n_maps, n_pixels, _) = maps[first].shape
    for field, each in maps.items():
        if each.shape[:2] != (n_maps, n_pixels):
            raise ValueError(
                f"{paths[field]}: Expected {n_maps} maps of {n_pixels} pixels per side, as in "
                f"{paths[first]}, got {len(each)} of {each.shape[1]}."
            )
    return maps


def find_new_maps(asked: AskedMaps, fields: tuple[str, ...]) -> dict[str, Path]:
    """Find the file of each field.

    In a folder the file is ``Maps_<field>_*.npy`` or ``Images_<field>_*.npy``, as CMD names files,
    or ``<field>.npy``. There must be exactly one per field.

    Parameters
    ----------
    asked : str, mapping of str to str, or None
        Path of a file or of a folder, or field -> path.
    fields : tuple of str
        Fields of the networks.

    Returns
    -------
    paths : dict of field to path
        File of each field, in the order of `fields`.

    Raises
    ------
    FileNotFoundError
        If no path is given, or a folder has no file of a field.
    ValueError
        If other fields are named, one file is given for several fields, or a folder has several
        files of one field.
    """
    if asked is None:
        raise FileNotFoundError(f"maps: Expected the path of new maps, got none. Use {HOW}.")
    if isinstance(asked, Mapping):
        if set(asked) != set(fields):
            raise ValueError(
                f"maps: Expected one file for each of {', '.join(fields)}, got {', '.join(asked)}."
            )
        return {field: Path(asked[field]).expanduser() for field in fields}
    path = Path(asked).expanduser()
    if path.is_dir():
        return {field: _find_in(path, field) for field in fields}
    if len(fields) > 1:
        raise ValueError(
            f"maps: Expected one file for each of {', '.join(fields)}, got only {asked}. Use {HOW}."
        )
    return {fields[0]: path}


def name_files(maps: Mapping[str, Maps]) -> dict[str, str]:
    """Name the files of maps and their content, for the table of predictions.

    Parameters
    ----------
    maps : mapping of field to (N, L, L) float32
        Maps of `open_new_maps`.

    Returns
    -------
    names : dict of str to str
        ``file`` with the absolute path, and ``sha256`` with the first 12 digits of the checksum.
        Those of several fields are joined by ``;``.
    """
    paths = [Path(source_name(each, field)).resolve() for field, each in maps.items()]
    return {
        "file": ";".join(map(str, paths)),
        "sha256": ";".join(sha256(path)[:12] for path in paths),
    }


def _find_in(folder: Path, field: str) -> Path:
    patterns = (f"Maps_{field}_*.npy", f"Images_{field}_*.npy", f"{field}.npy")
    found = sorted(path for pattern in patterns for path in folder.glob(pattern))
    if not found:
        raise FileNotFoundError(
            f"{folder}: Expected a file named {' or '.join(patterns)}, found none."
        )
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise ValueError(
            f"{folder}: Expected one file of {field}, got {names}. "
            f"Choose one with --params maps.{field}=..."
        )
    return found[0]
