"""Tables printed at the end of a run: metrics of each parameter, or predictions of new maps."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from multifield import camels
from multifield.camels.selection import Selection
from multifield.evaluation.intervals import Intervals
from multifield.evaluation.metrics import LOG_PROB, Metrics

# heading -> metric, factor, format; plain ASCII for any terminal
_COLUMNS = {
    "RMSE": ("RMSE", 1.0, ".3g"),
    "R2": ("R2", 1.0, ".3f"),
    "chi2": ("chi2", 1.0, ".3g"),
    "eps [%]": ("epsilon", 100.0, ".1f"),  # 80 columns have no room for more
    "cov. 68 [%]": ("coverage_68", 100.0, ".1f"),
}
_WITH_ERROR = ("RMSE", "chi2")  # errors of all five metrics do not fit in 80 columns
LARGE = 1e4  # from here on values are written as 1.2e+04
N_SHOWN = 8  # predictions; the files contain all


def summary_table(
    metrics: Metrics,
    suite: str | None = None,
    field: str | None = None,
    tested_on: Selection | None = None,
    intervals: Intervals | None = None,
    space: camels.ParameterSpace = camels.CMD,
) -> Table:
    """Lay out metrics as a table, one row per parameter below the information.

    Parameters
    ----------
    metrics : dict of dict of float
        Metric -> parameter -> value, as in metrics.json.
    suite, field : str, optional
        Suite and fields of the training maps, for the title.
    tested_on : Selection, optional
        Test maps, for the title if they are of another suite or set.
    intervals : dict of dict of Interval, optional
        Intervals of the same metrics. Metrics of `_WITH_ERROR` are shown with their standard error.
    space : ParameterSpace, optional
        Parameters of the metrics. By default CMD's six.

    Returns
    -------
    table : rich.table.Table
        The table. A metric that is undefined for a parameter is shown as ``-``.
    """
    caption = "ideal: R2 = 1, chi2 = 1, coverage 68.3%"
    if intervals:
        caption += "\n+-: standard error from a bootstrap over simulations"
    title = [_title(suite, field, tested_on), _information(metrics, intervals or {})]
    table = Table(title="\n".join(filter(None, title)), caption=caption)
    table.add_column("parameter", overflow="fold")
    for heading in _COLUMNS:
        table.add_column(heading, justify="right", overflow="fold")
    for name in _parameters(metrics):
        table.add_row(
            _label(name, space),
            *(_cell(metrics, intervals or {}, heading, name) for heading in _COLUMNS),
        )
    return table


def _title(suite: str | None, field: str | None, tested_on: Selection | None) -> str | None:
    if suite is None:
        return field
    trained = _name(suite, field)
    if tested_on is None or (tested_on.suite, tested_on.sim_set) == (suite, "LH"):
        return trained
    tested = _name(tested_on.suite, tested_on.field)
    return f"trained on {trained}\ntested on {tested}, {tested_on.sim_set}"


def _information(metrics: Metrics, intervals: Intervals) -> str | None:
    """Format the information about all parameters together, absent in files of older versions."""
    for names, value in metrics.get(LOG_PROB, {}).items():
        interval = intervals.get(LOG_PROB, {}).get(names)
        error = f"+-{interval.error:.1g}" if interval else ""
        return f"information: {value:.3f}{error} nats"
    return None


def _name(suite: str, field: str | None) -> str:
    mock = "mock suite " if camels.find_suite(suite).mock else ""
    maps = f", {field} maps" if field else ""
    return f"{mock}{suite}{maps}"


def _parameters(metrics: Metrics) -> list[str]:
    """List the parameters with any of the metrics shown, in CMD's order."""
    shown = (name for metric, _, _ in _COLUMNS.values() for name in metrics[metric])
    return camels.in_table_order(shown)


def _label(name: str, space: camels.ParameterSpace) -> str:
    """Name the coordinate of a parameter."""
    is_log = name in space.names and space[name].scale == "log"
    return f"log10 {name}" if is_log else name


def _cell(metrics: Metrics, intervals: Intervals, heading: str, name: str) -> str:
    metric, factor, form = _COLUMNS[heading]
    if name not in metrics[metric]:
        return "-"
    value = f"{metrics[metric][name] * factor:{form}}"
    interval = intervals.get(metric, {}).get(name)
    if metric not in _WITH_ERROR or interval is None:
        return value
    return with_error(metrics[metric][name] * factor, interval.error * factor)


def with_error(value: float, error: float) -> str:
    """Format a value with its error, which has two digits: 0.856+-0.093.

    Parameters
    ----------
    value : float
        Value.
    error : float
        Standard error or standard deviation.

    Returns
    -------
    text : str
        Both with the same number of decimals. Large values, and those whose error is 0 or not
        finite, have three digits, and their error one.
    """
    if not (math.isfinite(value) and 0 < error < math.inf) or max(abs(value), error) >= LARGE:
        return f"{value:.3g}+-{error:.1g}"
    decimals = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:.{decimals}f}+-{error:.{decimals}f}"


def scales_table(records: Sequence[Mapping[str, Any]]) -> Table:
    """Lay out the comparison of new maps with the validation maps, one row per smoothing scale.

    Parameters
    ----------
    records : sequence of dict
        Comparison from `multifield.prediction.compare_with_training`.

    Returns
    -------
    table : rich.table.Table
        The table.
    """
    first = records[0]
    caption = (
        f"{first['simulations']} new and {first['validation_simulations']} validation simulations, "
        f"{first['maps_per_simulation']} maps of each"
    )
    table = Table(title="new maps against validation maps", caption=caption)
    for heading in ("smoothing [pixels]", "MMD", "if alike", "p-value"):
        table.add_column(heading, justify="right")
    for record in records:
        numbers = (record[name] for name in ("mmd", "mmd_alike"))
        shown = (f"{number:.3f}" for number in numbers)
        table.add_row(f"{record['smoothing']:g}", *shown, f"{record['p_value']:.2g}")
    return table


def prediction_table(
    records: Sequence[Mapping[str, Any]],
    suite: str,
    field: str,
    inferred: Sequence[str],
    false_alarms: float,
    space: camels.ParameterSpace = camels.CMD,
) -> Table:
    """Lay out the first predictions, one row per map.

    Parameters
    ----------
    records : sequence of dict
        Predictions from `multifield.prediction.infer_parameters`.
    suite, field : str
        Suite and fields of the training maps, for the title.
    inferred : sequence of str
        Names of the parameters.
    false_alarms : float
        Expected share of flagged maps among maps like the validation maps.
    space : ParameterSpace, optional
        Parameters of the predictions. By default CMD's six.

    Returns
    -------
    table : rich.table.Table
        The table, with recalibrated standard deviations. Out-of-distribution maps are flagged.
    """
    n_flagged = sum(bool(record["unlike_training"]) for record in records)
    caption = (
        f"{n_flagged} of {len(records)} maps are out-of-distribution\n"
        f"(expected false-alarm rate: {100 * false_alarms:.2g}%)\n"
        "+-: standard deviation (recalibrated)"
    )
    if any(record["unlike_training"] for record in records[:N_SHOWN]):
        caption += "\n*: out-of-distribution"
    if len(records) > N_SHOWN:
        caption += f"\nfirst {N_SHOWN} of {len(records)} maps"
    table = Table(title=f"trained on {_name(suite, field)}", caption=caption)
    table.add_column("map", justify="right")
    for name in inferred:
        table.add_column(_label(name, space), justify="right", overflow="fold")
    table.add_column("p-value", justify="right")
    for record in records[:N_SHOWN]:
        values = [
            with_error(record[f"{name}_mean"], record[f"{name}_std_recalibrated"])
            for name in inferred
        ]
        flag = "*" if record["unlike_training"] else ""
        table.add_row(str(record["map"]), *values, f"{record['p_value']:.2g}{flag}")
    return table
