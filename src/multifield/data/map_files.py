"""Map files and parameter tables: find, check, link and write them.

Maps are never loaded completely: `open_maps` returns a memory map, and `write_map_files` takes a
stream of blocks.
"""

import logging
from collections.abc import Iterator, Mapping, Sized
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Protocol, runtime_checkable

import numpy as np
from numpy.typing import DTypeLike

from multifield import camels
from multifield.core.arrays import Maps, Theta
from multifield.core.atomic_files import atomic_path
from multifield.data.origin import is_made_from, write_origin
from multifield.maps.memory import source_name

logger = logging.getLogger(__name__)


@runtime_checkable
class MapStream(Protocol):
    """Maps that are simulated while they are written, in blocks of one or several fields.

    Streams of the same origin give the same maps, for each field on its own.
    """

    @property
    def shapes(self) -> Mapping[str, tuple[int, int, int]]:
        """Final shape of each field, (N, L, L)."""

    @property
    def origin(self) -> Mapping[str, str]:
        """Settings that determine the pixels of a field."""

    def of_fields(self, fields: tuple[str, ...]) -> "MapStream":
        """Return the stream of some of the fields."""

    def __iter__(self) -> Iterator[Mapping[str, Maps]]:
        """Yield blocks in order, with the same number of maps of every field."""


def find_file(folder: Path, names: tuple[str, ...]) -> Path:
    """Return the first existing file in a folder.

    Parameters
    ----------
    folder : Path
        Folder to search.
    names : tuple of str
        Possible names of the file.

    Returns
    -------
    path : Path
        First existing file.

    Raises
    ------
    FileNotFoundError
        If no file exists. The message lists the names.
    """
    found = find_in_folders((folder,), names)
    if found is None:
        raise FileNotFoundError(f"{folder}: Expected a file named {' or '.join(names)}, got none.")
    return found


def find_in_folders(folders: tuple[Path, ...], names: tuple[str, ...]) -> Path | None:
    """Return the first existing file in several folders.

    Parameters
    ----------
    folders : tuple of Path
        Folders to search, in order.
    names : tuple of str
        Possible names of the file.

    Returns
    -------
    path : Path or None
        First existing file in the first folder that contains one. None if there is no file.
    """
    for folder in folders:
        for name in names:
            if (folder / name).is_file():
                return folder / name
    return None


def write_map_files(paths: Mapping[str, Path], stream: MapStream) -> None:
    """Write each field of a stream to its file, atomically. Files of the same origin are reused.

    Parameters
    ----------
    paths : mapping of field to Path
        File of each field of the stream.
    stream : MapStream
        Maps to write.

    Raises
    ------
    ValueError
        If the stream yields fewer or more maps than it announced.
    """
    if set(paths) != set(stream.shapes):
        raise ValueError(f"paths: Expected fields {sorted(stream.shapes)}, got {sorted(paths)}.")
    missing = tuple(field for field in paths if not is_made_from(paths[field], stream.origin))
    for field in sorted(set(paths) - set(missing)):
        logger.info("Reusing %s", paths[field])
    if not missing:
        return
    with ExitStack() as stack:
        partials = {field: stack.enter_context(atomic_path(paths[field])) for field in missing}
        with ExitStack() as open_files:
            files = {
                field: open_files.enter_context(path.open("wb")) for field, path in partials.items()
            }
            _write_stream(files, stream.of_fields(missing))
    for field in missing:
        write_origin(paths[field], stream.origin)


def write_or_link_maps(paths: Mapping[str, Path], maps: MapStream | Mapping[str, Path]) -> None:
    """Write a stream of maps, or link to published files.

    Parameters
    ----------
    paths : mapping of field to Path
        File or link of each field.
    maps : MapStream or mapping of field to Path
        Maps to write, or published files.
    """
    if not isinstance(maps, Mapping):
        write_map_files(paths, maps)
        return
    for field, path in paths.items():
        link_file(maps[field], path)


def write_or_link_theta(path: Path, theta: Theta | Path) -> None:
    """Write a parameter table, or link to a published table.

    Parameters
    ----------
    path : Path
        File or link of the table.
    theta : (S, 6) float64 or Path
        Parameters of the simulations, or published table.
    """
    if isinstance(theta, Path):
        link_file(theta, path)
    else:
        write_theta(path, theta)


def write_header(file: BinaryIO, shape: tuple[int, ...], dtype: DTypeLike = np.float32) -> None:
    """Write the 128-byte header of a ``.npy`` file of maps.

    Parameters
    ----------
    file : file object
        File opened for writing in binary mode.
    shape : tuple of int
        Shape of the maps, (N, L, L).
    dtype : dtype, optional
        Type of the pixels.
    """
    descr = np.dtype(dtype).newbyteorder("<").str
    np.lib.format.write_array_header_1_0(
        file, {"descr": descr, "fortran_order": False, "shape": shape}
    )


def _write_stream(files: Mapping[str, BinaryIO], stream: MapStream) -> None:
    for field, shape in stream.shapes.items():
        write_header(files[field], shape)
    written = dict.fromkeys(files, 0)
    for block in stream:
        for field, maps in block.items():
            if maps.shape[1:] != stream.shapes[field][1:]:
                raise ValueError(f"{field}: Expected {stream.shapes[field]}, got {maps.shape}.")
            if maps.dtype != np.float32:
                raise TypeError(f"{field}: Expected float32 maps, got {maps.dtype.name}.")
            files[field].write(np.ascontiguousarray(maps, dtype="<f4").data)
            written[field] += len(maps)
    for field, shape in stream.shapes.items():
        if written[field] != shape[0]:
            raise ValueError(f"{field}: Expected {shape[0]} maps, got {written[field]}.")


def link_file(source: Path, path: Path) -> None:
    """Create a symbolic link to a file, unless both paths are the same file.

    Parameters
    ----------
    source : Path
        Existing file.
    path : Path
        Path of the link. An existing link is replaced.

    Raises
    ------
    FileExistsError
        If `path` is a file and not a link.
    """
    if path.exists() and source.resolve() == path.resolve():
        return
    if path.is_file() and not path.is_symlink():
        raise FileExistsError(
            f"{path}: Expected a link or no file, got a file. Move it away to link to {source}."
        )
    with atomic_path(path) as partial:
        try:
            partial.symlink_to(source.resolve())
        except OSError:  # Windows allows symbolic links only to few users
            partial.hardlink_to(source.resolve())


def save_maps(path: str | Path, maps: Maps) -> None:
    """Write an array of maps to a ``.npy`` file, atomically.

    Parameters
    ----------
    path : path-like
        File to write.
    maps : (N, L, L) float32
        Maps in any unit.

    Raises
    ------
    TypeError
        If `maps` is not float32. Maps are never converted.
    """
    if maps.dtype != np.float32:
        raise TypeError(f"{path}: Expected float32 maps, got {maps.dtype.name}.")
    with atomic_path(path) as partial, partial.open("wb") as file:
        np.save(file, maps, allow_pickle=False)


def write_theta(path: str | Path, theta: Theta) -> None:
    """Write a parameter table with five decimals like CMD's, atomically.

    Parameters
    ----------
    path : path-like
        File to write.
    theta : (S, 6) float64
        Parameters of the simulations.

    Raises
    ------
    ValueError
        If a value has more than five decimals.
    """
    wrong = np.argwhere(np.round(theta, 5) != theta)
    if len(wrong):
        row, column = wrong[0]
        raise ValueError(
            f"{path}: row {row}, {camels.PARAMETER_NAMES[column]}: Expected at most five decimals, "
            f"got {theta[row, column]!r}."
        )
    with atomic_path(path) as partial:
        np.savetxt(partial, theta, fmt="%.5f")


def check_counts(
    maps: Sized, theta: Theta, field: str, maps_per_simulation: int = camels.MAPS_PER_SIMULATION
) -> None:
    """Check the number of maps per row of parameters.

    Parameters
    ----------
    maps : sized
        Maps of the field.
    theta : (S, P) float64
        Parameters of the simulations.
    field : str
        Name of the field, for messages.
    maps_per_simulation : int, optional
        Number of maps per simulation.

    Raises
    ------
    ValueError
        If the number of maps is wrong.
    """
    expected = maps_per_simulation * len(theta)
    if len(maps) != expected:
        raise ValueError(
            f"{source_name(maps, field)}: Expected {expected} maps ({maps_per_simulation} for each of the "
            f"{len(theta)} rows of the parameter table), got {len(maps)}."
        )
