"""Comparison of robust methods with networks of one suite, as records and as a console table."""

import logging
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

from multifield.config.studies import PLAIN, RobustnessConfig

logger = logging.getLogger(__name__)

SHOWN = ("RMSE", "chi2", "chi2_clipped")
Records = Sequence[Mapping[str, Any]]


def of_one_suite(records: Records, width: float | None = None) -> list[Mapping[str, Any]]:
    """Select the records of networks trained on one suite.

    Parameters
    ----------
    records : sequence of mappings
        Records from `score_all`; numbers may be text.
    width : float, optional
        Smoothing width to select [pixels]. None selects all.

    Returns
    -------
    records : list of mappings
        Selected records.
    """
    alone = [record for record in records if record["method"] == PLAIN.name]
    return [r for r in alone if width is None or float(r["smoothing_width"]) == width]


def compare_methods(records: Records, config: RobustnessConfig) -> list[dict[str, Any]]:
    """Compare methods with networks of one suite, on training suites and on the held-out suite.

    Parameters
    ----------
    records : sequence of mappings
        Records from `score_all`; numbers may be text, as in a CSV.
    config : RobustnessConfig
        Suites, fields and methods.

    Returns
    -------
    rows : list of dict
        One row per field, method and parameter. ``home_*`` is the mean over the training suites,
        where each network of one suite is tested on its own. ``held_back_*`` is the score on the
        held-out suite, averaged over networks of one suite. ``on_its_own_*`` is the score of the
        network trained on the held-out suite, the best to expect. ``RMSE_to_one_suite``
        and ``home_RMSE_to_one_suite`` are ratios to networks of one suite.
    """
    rows: list[dict[str, Any]] = []
    width = config.smoothing_widths[0]
    for field in config.studied:
        here = [r for r in records if r["field"] == field and float(r["smoothing_width"]) == width]
        for method in (PLAIN.name, *(each.name for each in config.methods)):
            for parameter in dict.fromkeys(record["parameter"] for record in records):
                chosen = [r for r in here if (r["method"], r["parameter"]) == (method, parameter)]
                row = {"field": field, "method": method, "parameter": parameter}
                own = [r for r in here if r["parameter"] == parameter]
                rows.append(row | _average(chosen, own, config))
    for row in rows:
        (plain,) = (r for r in rows if _is_plain(r, row))
        row["RMSE_to_one_suite"] = row["held_back_RMSE"] / plain["held_back_RMSE"]
        row["home_RMSE_to_one_suite"] = row["home_RMSE"] / plain["home_RMSE"]
        logger.info(
            "%s, %s, %s: on %s RMSE %.3g (%.2f times one suite's), chi2 %.3g; "
            "on training suites RMSE %.3g (%.2f)",
            *(row[key] for key in ("field", "parameter", "method")),
            config.held_back,
            *(row[key] for key in ("held_back_RMSE", "RMSE_to_one_suite", "held_back_chi2")),
            *(row[key] for key in ("home_RMSE", "home_RMSE_to_one_suite")),
        )
    return rows


def _average(
    chosen: Records, of_field: Records, config: RobustnessConfig
) -> dict[str, float | None]:
    """Average over suites; the network of the held-out suite counts only in the test on itself."""
    away = config.held_back
    own = [r for r in of_field if r["trained_on"] == away and r["tested_on"] == away]
    trained = [r for r in chosen if away not in r["trained_on"].split("+")]
    home = [r for r in trained if r["tested_on"] in r["trained_on"].split("+")]
    held_back = [r for r in trained if r["tested_on"] == away]
    return {
        f"{place}_{metric}": _mean([r[metric] for r in rows])
        for place, rows in (("home", home), ("held_back", held_back), ("on_its_own", own))
        for metric in SHOWN
    }


def _mean(values: Sequence[Any]) -> float | None:
    """Average numbers or their text; None if one is undefined (empty in a CSV)."""
    if any(value in (None, "") for value in values):
        return None
    return float(np.mean([float(value) for value in values]))


def _is_plain(candidate: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    same = all(candidate[key] == row[key] for key in ("field", "parameter"))
    return same and candidate["method"] == PLAIN.name


PARAMETER = "Omega_m"  # the parameter on which suites disagree
COLUMNS = (
    *("held_back_RMSE", "RMSE_to_one_suite", "held_back_chi2"),
    *("home_RMSE", "home_RMSE_to_one_suite", "home_chi2"),
)


def methods_table(rows: Sequence[Mapping[str, Any]], held_back: str) -> Table:
    """Make a console table of Omega_m, one row per field and method.

    Parameters
    ----------
    rows : sequence of mappings
        Rows from `compare_methods`; numbers may be text, as in a CSV.
    held_back : str
        Name of the held-out suite.

    Returns
    -------
    table : rich.table.Table
        Table to print.
    """
    table = Table(
        title=f"{PARAMETER} on {held_back} (held-out suite) and on training suites",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for heading in ("field", "method"):
        table.add_column(heading, no_wrap=True)
    for suites in ("held-out", "training"):
        for heading in (f"RMSE {suites}", "over one suite's", "chi2"):
            table.add_column(heading, justify="right", overflow="fold")
    shown = [row for row in rows if row["parameter"] == PARAMETER]
    for _, of_field in groupby(shown, key=lambda row: row["field"]):
        for row in of_field:
            table.add_row(row["field"], row["method"], *(_cell(row[name]) for name in COLUMNS))
        table.add_section()
    return table


def _cell(value: Any) -> str:
    return "-" if value in (None, "") else f"{float(value):.3g}"
