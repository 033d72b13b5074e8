"""Tables between the library, which has records, and the catalog, which has data frames."""

from collections.abc import Iterable, Mapping
from typing import Any


def to_frame(records: Iterable[Mapping[str, Any]]) -> Any:
    """Make a data frame of records; values keep their types, so that 3 is not written as 3.0.

    Parameters
    ----------
    records : iterable of mapping
        One mapping per row, all with the same keys.

    Returns
    -------
    frame : pandas.DataFrame
        One column per key.
    """
    import pandas as pd  # slow to import, and not needed for `kedro --help`

    return pd.DataFrame(list(records), dtype=object)


def to_records(frame: Any) -> list[dict[str, Any]]:
    """Make records of a data frame; empty cells are None.

    Parameters
    ----------
    frame : pandas.DataFrame
        As loaded from a file, or made by `to_frame`.

    Returns
    -------
    records : list of dict
        One dictionary per row.
    """
    whole: list[dict[str, Any]] = (
        frame.astype(object).where(frame.notna(), None).to_dict(orient="records")
    )
    return whole
