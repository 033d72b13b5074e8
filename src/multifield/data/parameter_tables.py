"""Parameter tables as they are published: with or without header, names and seeds.

A header names the columns, in any order. Without one, the number of columns and the documented
ranges decide which table it is.
"""

import codecs
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from multifield import camels
from multifield.core.arrays import Theta

SIX = camels.SimulationSet("own", camels.BUILT_IN.designs["own"], (camels.CMD,))
"""Any rows of the six parameters."""
NAME_TITLES, SEED_TITLE = ("name", "simname"), "seed"
NUMBERED = re.compile(r"([A-Za-z0-9]+)_(\d+)")  # names such as LH_12; those of 1P have no order
BYTE_ORDER_MARKS = {codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16"}


@dataclass(frozen=True)
class _Text:
    """Words of a table.

    Attributes
    ----------
    titles : tuple of str
        Words of the header. Empty if there is none.
    names : tuple of str
        Names of the simulations. Empty if there are none.
    numbers : (S, n) float64
        The other columns.
    """

    titles: tuple[str, ...]
    names: tuple[str, ...]
    numbers: Float64[np.ndarray, "S n"]


def read_theta(
    path: str | Path,
    sim_set: camels.SimulationSet = SIX,
    space: camels.ParameterSpace | None = None,
) -> Theta:
    """Read a parameter table: one row per simulation.

    Columns with names of simulations and seeds are left out. A header decides the order of the
    columns. Rows are checked for the documented ranges and fiducial values of the set.

    Parameters
    ----------
    path : path-like
        Text file with numbers separated by blanks or commas.
    sim_set : SimulationSet, optional
        Set of the simulations, with its possible tables. By default any rows of CMD's six
        parameters.
    space : ParameterSpace, optional
        Parameters to return. By default those of the first table of the set.

    Returns
    -------
    theta : (S, P) float64
        Coordinates of the parameters of `space`. NaN for parameters that the table does not have,
        and for logarithms of 0.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ValueError
        If the file is not a table of this set, a value is not finite, or a value does not fit its
        column.
    """
    path = Path(path)
    text = _split(path, _read_text(path), sim_set)
    try:
        _check_names(text.names, sim_set)
        table, theta = _identify(text, sim_set)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return align(theta, table, space or sim_set.space)


def align(
    theta: Theta, table: camels.ParameterSpace, space: camels.ParameterSpace
) -> Float64[np.ndarray, "S Q"]:
    """Return the coordinates of the parameters of another table, by name.

    Parameters
    ----------
    theta : (S, P) float64
        Parameters in physical units.
    table : ParameterSpace
        Parameters of `theta`.
    space : ParameterSpace
        Parameters to return.

    Returns
    -------
    coordinates : (S, Q) float64
        Coordinates in `space`. NaN for parameters that `theta` does not have.
    """
    wanted = np.full((len(theta), len(space)), np.nan)
    for column, name in enumerate(space.names):
        if name in table.names:
            wanted[:, column] = theta[:, table.index(name)]
    return space.coordinates(wanted)


# ---- text ----


def _read_text(path: Path) -> str:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: Expected a parameter table, got none.")
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        encoding = BYTE_ORDER_MARKS.get(content[:2], "an 8-bit encoding such as Windows-1252")
        raise ValueError(
            f"{path}: Expected rows of numbers in UTF-8 text, got byte {content[error.start]:#04x} "
            f"at position {error.start}, probably {encoding}. Save the table as UTF-8 text."
        ) from None


def _split(path: Path, text: str, sim_set: camels.SimulationSet) -> _Text:
    """Find the header, the names and the numbers."""
    lines = [line for line in text.splitlines() if line.strip()]
    rows = [words for words in (_words(line.split("#")[0]) for line in lines) if words]
    titles = [words for words in map(_words, _comments(lines)) if _is_header(words, sim_set)]
    if rows and not any(map(_is_number, rows[0])):
        titles = [*titles, rows.pop(0)]
    if not rows:
        got = f"the words {' '.join(titles[-1])[:40]!r}" if titles else "an empty file"
        raise ValueError(
            f"{path}: Expected rows of numbers, rows of {_count_columns(sim_set)} columns, got {got}."
        )
    names = () if _is_number(rows[0][0]) else tuple(row[0] for row in rows)
    cells = [row[1:] for row in rows] if names else rows
    for number, row in enumerate(cells):
        if len(row) != len(cells[0]):
            raise ValueError(
                f"{path}: Expected rows of numbers, all of {len(cells[0])}, got {len(row)} in row "
                f"{number}."
            )
        wrong = next((word for word in row if not _is_number(word)), None)
        if wrong is not None:
            raise ValueError(
                f"{path}: Expected rows of numbers, got another text ({wrong[:40]!r} in row {number})."
            )
    return _Text(tuple(titles[-1]) if titles else (), names, np.array(cells, np.float64))


def _words(line: str) -> list[str]:
    return line.replace(",", " ").split()


def _comments(lines: Sequence[str]) -> list[str]:
    return [line.lstrip().lstrip("#") for line in lines if line.lstrip().startswith("#")]


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return "_" not in word  # float("1_0") is 10


def _is_header(words: Sequence[str], sim_set: camels.SimulationSet) -> bool:
    """Return whether two or more words of a comment name columns."""
    known = {title for table in sim_set.tables for title in _titles_of(table)}
    return sum(_simplify(word) in known for word in words) >= 2


def _simplify(title: str) -> str:
    """Return a title without case and signs: A_SN1 and ASN1 are one column."""
    return re.sub(r"[^a-z0-9]", "", title.lower())


def _titles_of(table: camels.ParameterSpace) -> dict[str, str]:
    """Return the names of parameters by each title that they can have."""
    return {_simplify(t): each.name for each in table for t in (each.name, *each.aliases)}


def _count_columns(sim_set: camels.SimulationSet) -> str:
    return " or ".join(str(len(table)) for table in sim_set.tables)


# ---- columns ----


def _check_names(names: Sequence[str], sim_set: camels.SimulationSet) -> None:
    """Check that names of simulations are of the set and in order: maps have the order of rows."""
    if sim_set.design.rows == "any":
        return
    prefix = sim_set.name.split("_")[0]
    for row, name in enumerate(names):
        numbered = NUMBERED.fullmatch(name)
        if not name.startswith(f"{prefix}_") or (numbered and int(numbered[2]) != row):
            wanted = f"{prefix}_{row}" if numbered else f"a name that starts with {prefix}_"
            raise ValueError(f"row {row}: Expected simulation {wanted}, got {name[:40]!r}.")


def _identify(
    text: _Text, sim_set: camels.SimulationSet
) -> tuple[camels.ParameterSpace, Float64[np.ndarray, "S P"]]:
    """Return the parameters of a table and their values."""
    if text.titles:
        return _by_header(text, sim_set)
    fitting = [
        (table, text.numbers[:, : len(table)])
        for with_seed in (False, True)
        for table in sim_set.tables
        if len(table) + with_seed == text.numbers.shape[1]
        and (not with_seed or _are_seeds(text.numbers[:, -1]))
    ]
    if not fitting:
        expected = f"rows of {_count_columns(sim_set)} columns"
        raise ValueError(f"Expected {expected}, got shape {text.numbers.shape}.")
    for place, (table, theta) in enumerate(fitting):
        try:
            return _checked(table, theta, sim_set)
        except ValueError:
            if place == len(fitting) - 1:
                raise
    raise AssertionError


def _by_header(
    text: _Text, sim_set: camels.SimulationSet
) -> tuple[camels.ParameterSpace, Float64[np.ndarray, "S P"]]:
    """Return the parameters of a table whose header names them."""
    titles = [_simplify(title) for title in text.titles]
    if text.names and (titles[0] in NAME_TITLES or len(titles) > text.numbers.shape[1]):
        titles = titles[1:]
    if len(titles) != text.numbers.shape[1]:
        raise ValueError(
            f"Expected as many titles in the header as columns of numbers, got {len(titles)} and "
            f"{text.numbers.shape[1]}."
        )
    given = [title for title in titles if title != SEED_TITLE]
    for table in sim_set.tables:
        known = _titles_of(table)
        if sorted(known.get(title, "") for title in given) == sorted(table.names):
            place: Mapping[str, int] = {known[title]: titles.index(title) for title in given}
            return _checked(table, text.numbers[:, [place[n] for n in table.names]], sim_set)
    tables = " or ".join(", ".join(table.names) for table in sim_set.tables)
    raise ValueError(f"Expected a header with {tables}, got {', '.join(text.titles)}.")


def _are_seeds(numbers: Float64[np.ndarray, " S"]) -> bool:
    return bool(np.all((numbers >= 0) & (numbers == np.floor(numbers))))


def _checked(
    table: camels.ParameterSpace,
    theta: Float64[np.ndarray, "S P"],
    sim_set: camels.SimulationSet,
) -> tuple[camels.ParameterSpace, Float64[np.ndarray, "S P"]]:
    bad = np.argwhere(~np.isfinite(theta))
    if len(bad):
        row, column = bad[0]
        raise ValueError(
            f"row {row}, {table.names[column]}: Expected a finite value, got {theta[row, column]}."
        )
    camels.check_rows(theta, table, sim_set)
    return table, theta
