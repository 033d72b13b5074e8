"""Conversions between records (in the library) and data frames (in the catalog)."""

from collections.abc import Iterable, Mapping
from typing import Any


def to_frame(records: Iterable[Mapping[str, Any]]) -> Any:
    """Convert records to a data frame. Values keep their types, so 3 is not written as 3.0.

    Parameters
    ----------
    records : iterable of mapping
        One mapping per row, all with the same keys.

    Returns
    -------
    frame : pandas.DataFrame
        One column per key.
    """
    import pandas as pd  # slow to import; `kedro --help` does not need it

    return pd.DataFrame(list(records), dtype=object)


def to_records(frame: Any) -> list[dict[str, Any]]:
    """Convert a data frame to records; empty cells become None.

    Parameters
    ----------
    frame : pandas.DataFrame
        Data frame from a file or from `to_frame`.

    Returns
    -------
    records : list of dict
        One dictionary per row.
    """
    whole: list[dict[str, Any]] = (
        frame.astype(object).where(frame.notna(), None).to_dict(orient="records")
    )
    return whole
