"""What a method gains where it was never trained, and what it costs at home."""

import logging
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

from multifield import camels
from multifield.config.studies import PLAIN, RobustnessConfig

logger = logging.getLogger(__name__)

SHOWN = ("RMSE", "chi2", "chi2_clipped")
Records = Sequence[Mapping[str, Any]]


def of_one_suite(records: Records, width: float | None = None) -> list[Mapping[str, Any]]:
    """Keep the records of networks of one suite, at one smoothing [pixels] if it is given."""
    alone = [record for record in records if record["method"] == PLAIN.name]
    return [r for r in alone if width is None or float(r["smoothing_width"]) == width]


def compare_methods(records: Records, config: RobustnessConfig) -> list[dict[str, Any]]:
    """Set methods beside the networks of one suite, at home and on the suite held back.

    Parameters
    ----------
    records : sequence of mappings
        From `score_all`; numbers may be text, as a CSV gives them.
    config : RobustnessConfig

    Returns
    -------
    rows : list of dict
        One a field, method and parameter. ``home_*`` is the mean over the suites trained on, of
        which `one_suite` is tested each on its own; ``held_back_*`` is of the suite held back, for
        `one_suite` the mean over its networks of the suites trained on; ``on_its_own_*`` is of the network
        that was trained on the suite held back, the best that can be hoped for. ``RMSE_to_one_suite``
        and ``home_RMSE_to_one_suite`` are ratios to the network of one suite.
    """
    rows: list[dict[str, Any]] = []
    width = config.smoothing_widths[0]
    for field in config.studied:
        here = [r for r in records if r["field"] == field and float(r["smoothing_width"]) == width]
        for method in (PLAIN.name, *(each.name for each in config.methods)):
            for parameter in camels.COSMOLOGY:
                chosen = [r for r in here if (r["method"], r["parameter"]) == (method, parameter)]
                row = {"field": field, "method": method, "parameter": parameter}
                own = [r for r in here if r["parameter"] == parameter]
                rows.append(row | _average(chosen, own, config))
    for row in rows:
        (plain,) = (r for r in rows if _is_plain(r, row))
        row["RMSE_to_one_suite"] = row["held_back_RMSE"] / plain["held_back_RMSE"]
        row["home_RMSE_to_one_suite"] = row["home_RMSE"] / plain["home_RMSE"]
        logger.info(
            "%s, %s, %s: on %s RMSE %.3g (%.2f of one suite's), chi2 %.3g; at home RMSE %.3g (%.2f)",
            *(row[key] for key in ("field", "parameter", "method")),
            config.held_back,
            *(row[key] for key in ("held_back_RMSE", "RMSE_to_one_suite", "held_back_chi2")),
            *(row[key] for key in ("home_RMSE", "home_RMSE_to_one_suite")),
        )
    return rows


def _average(
    chosen: Records, of_field: Records, config: RobustnessConfig
) -> dict[str, float | None]:
    """Average over suites; of the network of the suite held back, its test on itself alone."""
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
    """Average numbers, or their text; None if one is undefined, which is empty in a CSV."""
    if any(value in (None, "") for value in values):
        return None
    return float(np.mean([float(value) for value in values]))


def _is_plain(candidate: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    same = all(candidate[key] == row[key] for key in ("field", "parameter"))
    return same and candidate["method"] == PLAIN.name


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
