"""The last words of `robustness`: what each method gains away from home, and what it costs there."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

PARAMETER = "Omega_m"  # the one that suites disagree about
COLUMNS = (
    *("held_back_RMSE", "RMSE_to_one_suite", "held_back_chi2"),
    *("home_RMSE", "home_RMSE_to_one_suite", "home_chi2"),
)

_AT_HOME = ("RMSE at home", "to one suite's", "chi2")


def methods_table(rows: Sequence[Mapping[str, Any]], held_back: str) -> Table:
    """Lay out Omega_m, a row a field and method.

    Parameters
    ----------
    rows : sequence of mappings
        From `compare_methods`; numbers may be text, as a CSV gives them.
    held_back : str
        A suite.
    """
    table = Table(
        title=f"{PARAMETER} on {held_back}, which was held back, and at home",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for heading in ("field", "method"):
        table.add_column(heading, no_wrap=True)
    for heading in ("RMSE there", "to one suite's", "chi2", *_AT_HOME):
        table.add_column(heading, justify="right", overflow="fold")
    shown = [row for row in rows if row["parameter"] == PARAMETER]
    for _, of_field in groupby(shown, key=lambda row: row["field"]):
        for row in of_field:
            table.add_row(row["field"], row["method"], *(_cell(row[name]) for name in COLUMNS))
        table.add_section()
    return table


def _cell(value: Any) -> str:
    return "-" if value in (None, "") else f"{float(value):.3g}"
