"""Tables of results: plain dicts inside, readable on a terminal and in a notebook."""

import html
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np


class Table(Sequence[Mapping[str, Any]]):
    """Rows of named values.

    ``table[0]`` is the first row, a dict; ``table["RMSE"]`` the column of that name, an array; and
    ``list(table)`` a plain list of dicts.

    Parameters
    ----------
    rows : sequence of mapping
        Values by column, the same columns in each row.
    turned : bool, optional
        Whether it is shown with rows and columns exchanged: for few rows of many columns.
    """

    SHOWN = 12  # rows of a table that is printed

    def __init__(self, rows: Sequence[Mapping[str, Any]], *, turned: bool = False) -> None:
        self._rows = [dict(row) for row in rows]
        self._turned = turned

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(self._rows[0]) if self._rows else ()

    def __len__(self) -> int:
        """Count the rows."""
        return len(self._rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Give the rows."""
        return iter(self._rows)

    def __getitem__(self, key: Any) -> Any:
        """Give a row by its number, rows by a slice, or a column by its name."""
        if isinstance(key, slice):
            return Table(self._rows[key], turned=self._turned)
        if not isinstance(key, str):
            return self._rows[key]
        if key not in self.columns:
            raise KeyError(f"{key}: Expected one of the columns {', '.join(self.columns)}.")
        return np.array([row[key] for row in self._rows])

    def to_pandas(self) -> Any:
        """Give a ``pandas.DataFrame``; ImportError where pandas is not installed."""
        import pandas

        return pandas.DataFrame(self._rows)

    def __repr__(self) -> str:
        """Lay the rows out in columns."""
        cells = self._cells()
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = [
            "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in cells
        ]
        return "\n".join([*lines, *self._rest()])

    def _repr_html_(self) -> str:
        def line(cells: Sequence[str], tag: str) -> str:
            return "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells)

        first, *others = self._cells()
        rows = [line(first, "th"), *(line(cells, "td") for cells in others)]
        body = "".join(f"<tr>{row}</tr>" for row in rows)
        return f"<table>{body}</table>" + "".join(f"<p>{rest}</p>" for rest in self._rest())

    def _cells(self) -> list[tuple[str, ...]]:
        """Give what is shown, the names of the columns first."""
        shown = [tuple(map(_show, row.values())) for row in self._rows[: self.SHOWN]]
        cells = [self.columns, *shown]
        return list(zip(*cells, strict=True)) if self._turned else cells

    def _rest(self) -> list[str]:
        n_left = len(self) - self.SHOWN
        return [f"... and {n_left} more rows"] if n_left > 0 else []


def _show(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return "-" if value is None else str(value)
