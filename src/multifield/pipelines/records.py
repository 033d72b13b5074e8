"""Conversions between records (in the library) and data frames (in the catalog)."""

from collections.abc import Iterable, Mapping
from typing import Any

from multifield import evaluation
from multifield.config.draws import DrawsConfig


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


def draws_for_files(
    results: "evaluation.Results", n_orientations: int, config: DrawsConfig
) -> "tuple[Any, dict[str, evaluation.Draws]]":
    """Draw from the posterior of each map, for Parquet and for other formats.

    Parameters
    ----------
    results : Results
        Posteriors, rows ordered (orientation, map).
    n_orientations : int
        Number of orientations of each map.
    config : DrawsConfig
        Number of draws, seed and formats.

    Returns
    -------
    table : pandas.DataFrame
        One row per draw.
    files : dict of str to Draws
        Draws for NetCDF and GetDist; see `multifield.evaluation.draws.select_files`.
    """
    draws = evaluation.draw(results, config.n, config.seed, n_orientations=n_orientations)
    return draws.to_table(), evaluation.select_files(draws, config)
