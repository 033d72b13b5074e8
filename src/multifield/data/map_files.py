"""Map files and parameter tables on disk: find, open, check, write.

Maps are never loaded whole: `open_maps` gives a memory map, `write_map_files` takes a stream of blocks.
"""

import logging
from collections.abc import Iterator, Mapping, Sized
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float64
from numpy.typing import DTypeLike

from multifield import camels
from multifield.core.arrays import Maps, Theta
from multifield.core.atomic_files import atomic_path
from multifield.data.origin import is_made_from, write_origin
from multifield.maps.memory import source_name

logger = logging.getLogger(__name__)

N_PARAMETERS = len(camels.PARAMETERS)


@runtime_checkable
class MapStream(Protocol):
    """Maps that are made as they are written: blocks of one or several fields, in order.

    The same origin makes the same maps again, each field by itself.
    """

    @property
    def shapes(self) -> Mapping[str, tuple[int, int, int]]:
        """The final shape of each field, (N, L, L)."""

    @property
    def origin(self) -> Mapping[str, str]:
        """Everything that decides the pixels of a field."""

    def of_fields(self, fields: tuple[str, ...]) -> "MapStream":
        """Give the stream of some of the fields."""

    def __iter__(self) -> Iterator[Mapping[str, Maps]]:
        """Yield blocks, the same number of maps of every field, in order."""


def find_file(folder: Path, names: tuple[str, ...]) -> Path:
    """Return the first of `names` that is in `folder`.

    Raises
    ------
    FileNotFoundError
        If none is; the message lists the names looked for.
    """
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"{folder}: expected a file named {' or '.join(names)}; found none")


def find_in_folders(folders: tuple[Path, ...], names: tuple[str, ...]) -> Path | None:
    """Return the first of `names` in the first folder that has any of them, or None."""
    for folder in folders:
        for name in names:
            if (folder / name).is_file():
                return folder / name
    return None


def write_map_files(paths: Mapping[str, Path], stream: MapStream) -> None:
    """Write the fields of a stream, each into its file; every file appears whole or not at all.

    Files that hold the same fields of the same origin are kept as they are.

    Parameters
    ----------
    paths : mapping of field to path
        One for each field of the stream.
    stream : MapStream

    Raises
    ------
    ValueError
        If the stream ends before, or goes on after, the number of maps it announced.
    """
    if set(paths) != set(stream.shapes):
        raise ValueError(f"fields: expected {sorted(stream.shapes)}, got paths for {sorted(paths)}")
    missing = tuple(field for field in paths if not is_made_from(paths[field], stream.origin))
    for field in sorted(set(paths) - set(missing)):
        logger.info("%s: found, not made again", paths[field])
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


def write_header(file: BinaryIO, shape: tuple[int, ...], dtype: DTypeLike = np.float32) -> None:
    """Write the 128 bytes with which a ``.npy`` file of maps begins."""
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
                raise ValueError(f"{field}: expected {stream.shapes[field]}, got {maps.shape}")
            if maps.dtype != np.float32:
                raise TypeError(f"{field}: expected float32 maps, got {maps.dtype.name}")
            files[field].write(np.ascontiguousarray(maps, dtype="<f4").data)
            written[field] += len(maps)
    for field, shape in stream.shapes.items():
        if written[field] != shape[0]:
            raise ValueError(f"{field}: expected {shape[0]} maps, got {written[field]}")


def link_file(source: Path, path: Path) -> None:
    """Make `path` a symbolic link to `source`; nothing if they are the same file already.

    Raises
    ------
    FileExistsError
        If a file that is no link is at `path`.
    """
    if path.exists() and source.resolve() == path.resolve():
        return
    if path.is_file() and not path.is_symlink():
        raise FileExistsError(
            f"{path}: expected no file or a link, got a file; move it away before linking {source}"
        )
    with atomic_path(path) as partial:
        try:
            partial.symlink_to(source.resolve())
        except OSError:  # Windows lets few users make one
            partial.hardlink_to(source.resolve())


def save_maps(path: str | Path, maps: Maps) -> None:
    """Write an array of maps (N, L, L) float32 as ``.npy``, whole or not at all.

    Raises
    ------
    TypeError
        If they are of another type; nothing is converted.
    """
    if maps.dtype != np.float32:
        raise TypeError(f"{path}: expected float32 maps, got {maps.dtype.name}")
    with atomic_path(path) as partial, partial.open("wb") as file:
        np.save(file, maps, allow_pickle=False)


def read_theta(path: str | Path, n_columns: tuple[int, ...] = (N_PARAMETERS,)) -> Theta:
    """Read a parameter table: one row a simulation, columns in CMD's order.

    Parameters
    ----------
    path : path-like
        Text, numbers separated by blanks.
    n_columns : tuple of int, optional
        How many columns the table may have; see `camels.SimulationSet`.

    Returns
    -------
    theta : (S, 6) float64
        Physical units. Of a table of 28 columns, Omega_m and sigma_8 alone: the others are in the units of
        a simulation code, where CMD's six are factors, so the four of feedback are NaN.

    Raises
    ------
    FileNotFoundError, ValueError
        If the file is absent, is not numeric, has another number of columns, or a value is not finite.
    """
    table = _read_table(Path(path), " or ".join(str(n) for n in n_columns))
    if table.shape[1] not in n_columns:
        expected = " or ".join(str(n) for n in n_columns)
        raise ValueError(f"{path}: expected rows of {expected} columns, got shape {table.shape}")
    bad = np.argwhere(~np.isfinite(table))
    if len(bad):
        row, column = bad[0]
        name = (*camels.PARAMETER_NAMES, *[f"column {i}" for i in range(N_PARAMETERS, column + 1)])
        raise ValueError(
            f"{path}: row {row}, {name[column]}: expected a finite value, got {table[row, column]}"
        )
    theta = table[:, :N_PARAMETERS].copy()
    if table.shape[1] > N_PARAMETERS:
        theta[:, len(camels.COSMOLOGY) :] = np.nan
    return theta


def _read_table(path: Path, n_columns: str) -> Float64[np.ndarray, "S _"]:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected a parameter table; found none")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path}: expected rows of numbers in UTF-8 text, got byte {error.object[error.start]:#04x} "
            f"at position {error.start}. Save the table as plain text."
        ) from None
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise ValueError(f"{path}: expected rows of {n_columns} columns, got an empty file")
    try:
        return np.loadtxt(lines, ndmin=2, dtype=np.float64)
    except ValueError as error:
        raise ValueError(f"{path}: expected rows of numbers ({error})") from None


def write_theta(path: str | Path, theta: Theta) -> None:
    """Write a parameter table with five decimals, as CMD does, whole or not at all.

    Raises
    ------
    ValueError
        If five decimals do not hold a value exactly.
    """
    wrong = np.argwhere(np.round(theta, 5) != theta)
    if len(wrong):
        row, column = wrong[0]
        raise ValueError(
            f"{path}: row {row}, {camels.PARAMETER_NAMES[column]}: expected at most five decimals, "
            f"got {theta[row, column]!r}"
        )
    with atomic_path(path) as partial:
        np.savetxt(partial, theta, fmt="%.5f")


def check_counts(maps: Sized, theta: Theta, field: str) -> None:
    """Require 15 maps a row of parameters.

    Raises
    ------
    ValueError
        Naming the file, the number expected and the number found.
    """
    expected = camels.MAPS_PER_SIMULATION * len(theta)
    if len(maps) != expected:
        raise ValueError(
            f"{source_name(maps, field)}: expected {expected} maps (15 for each of the "
            f"{len(theta)} rows of the parameter table), got {len(maps)}"
        )
