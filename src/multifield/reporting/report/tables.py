"""Tables of a report, with cells of text."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from multifield import camels
from multifield.evaluation.intervals import Intervals
from multifield.evaluation.metrics import LOG_PROB, Metrics
from multifield.reporting.report.contents import RunReport

LARGEST_WIDTH = 1e4  # of an interval that is written with all its digits
NO_DEVIATION = "no deviation found"
DOUBT, CLEAR = 0.05, 0.001  # p-values below which a deviation is significant, highly significant

Cell = tuple[str, str]
"""A number and its interval. The interval may be empty."""

# heading -> metric, factor, format, whether recalibration changes it
KEY_METRICS = {
    "RMSE": ("RMSE", 1.0, ".3g", False),
    "relative error [%]": ("relative_error", 100.0, ".2f", False),
    "epsilon [%]": ("epsilon", 100.0, ".2f", False),
    "R2": ("R2", 1.0, ".3f", False),
    "chi2": ("chi2", 1.0, ".2f", True),
    "coverage 68 [%]": ("coverage_68", 100.0, ".1f", True),
    "coverage 95 [%]": ("coverage_95", 100.0, ".1f", True),
}
LEVEL_METRICS = {
    "RMSE": (1.0, ".3g"),
    "epsilon": (100.0, ".2f"),
    "R2": (1.0, ".3f"),
    "chi2": (1.0, ".2f"),
    "recalibrated_chi2": (1.0, ".2f"),
    LOG_PROB: (1.0, ".2f"),
}


def information_cells(report: RunReport) -> list[Cell]:
    """Give the information about all parameters together, before and after recalibration."""
    both = (
        (report.metrics, report.intervals),
        (
            report.recalibrated,
            report.recalibrated_intervals,
        ),
    )
    cells = []
    for metrics, intervals in both:
        ((names, value),) = metrics[LOG_PROB].items()
        interval = intervals.get(LOG_PROB, {}).get(names)
        ends = (interval.low, interval.high) if interval else None
        cells.append(_cell(value, ends, 1.0, ".3f"))
    return cells


def key_rows(report: RunReport) -> list[tuple[str, list[Cell], list[Cell]]]:
    """List the metrics of each parameter with intervals, then those after recalibration."""
    after, after_intervals = report.recalibrated, report.recalibrated_intervals
    return [
        (
            name,
            _metric_cells(report.metrics, report.intervals, name),
            _metric_cells(after, after_intervals, name, recalibrated=True),
        )
        for name in camels.in_table_order(report.metrics["RMSE"])
    ]


def _metric_cells(
    metrics: Metrics, intervals: Intervals, name: str, *, recalibrated: bool = False
) -> list[Cell]:
    """Format the metrics of a parameter; after recalibration only those that it changes."""
    cells = []
    for metric, factor, form, changes in KEY_METRICS.values():
        interval = intervals.get(metric, {}).get(name)
        ends = (interval.low, interval.high) if interval else None
        shown = changes or not recalibrated
        cells.append(_cell(metrics[metric].get(name), ends, factor, form) if shown else ("", ""))
    return cells


def metric_rows(metrics: Metrics, intervals: Intervals) -> list[tuple[str, list[Cell]]]:
    """List the metrics of each parameter with intervals, without recalibration."""
    names = camels.in_table_order(metrics["RMSE"])
    return [(name, _metric_cells(metrics, intervals, name)) for name in names]


def level_rows(report: RunReport) -> list[tuple[str, str, str, list[Cell]]]:
    """List network, level, parameter and metrics with intervals of each row of levels.csv."""
    rows = []
    for record in report.levels:
        cells = []
        for metric, (factor, form) in LEVEL_METRICS.items():
            low, high = (record[f"{metric}_{end}"] for end in ("low", "high"))
            ends = None if low is None or high is None else (low, high)
            cells.append(_cell(record[metric], ends, factor, form))
        rows.append((record["network"], record["level"], record["parameter"], cells))
    return rows


def _cell(value: float | None, ends: tuple[float, float] | None, factor: float, form: str) -> Cell:
    if value is None:
        return "-", ""
    if ends is None:
        return f"{factor * value:{form}}", ""
    if (decimals := _decimals(factor * (ends[1] - ends[0]))) is not None:
        form = f".{decimals}f"
    return f"{factor * value:{form}}", f"{factor * ends[0]:{form}} to {factor * ends[1]:{form}}"


def _decimals(width: float) -> int | None:
    """Return decimals that give the half width of an interval two digits. None: none do."""
    if not 0 < width < LARGEST_WIDTH:
        return None
    return max(0, 1 - math.floor(math.log10(width / 2)))


def verdict_rows(report: RunReport) -> list[tuple[str, Cell, Cell, Cell, str]]:
    """List R2, RMSE, coverage and a verdict on the posteriors of each parameter."""
    doubted: dict[str, list[str]] = {}
    for record in report.calibration_tests:
        p_value = record["p_value"]
        if record["sigma"] == "inferred" and p_value is not None and p_value < DOUBT:
            doubted.setdefault(record["parameter"], []).append(record["test"])
    r2, rmse, coverage = map(list(KEY_METRICS).index, ("R2", "RMSE", "coverage 68 [%]"))

    def judge(names: str) -> str:
        return f"deviates ({', '.join(doubted[names])})" if names in doubted else NO_DEVIATION

    rows = [
        (name, cells[r2], cells[rmse], cells[coverage], judge(name))
        for name, cells, _ in key_rows(report)
    ]
    joint, none = "+".join(name for name, *_ in rows), ("", "")
    if len(rows) > 1 and joint in doubted:
        rows.append(("all together", none, none, none, judge(joint)))
    return rows


# ---- calibration ----


def verdict(test: str, statistic: float, p_value: float | None) -> str:
    """Describe the result of a calibration test.

    Parameters
    ----------
    test : str
        Name of the test, as in calibration_tests.csv.
    statistic : float
        Mean pull (bias), standard deviation of the pulls (spread), excess correlation of pulls
        (correlation), or largest distance from uniform.
    p_value : float or None
        p-value of the test. None with a single simulation.

    Returns
    -------
    verdict : str
        Size of a deviation and its significance.
    """
    if p_value is None:
        return "not testable with one simulation"
    if p_value >= DOUBT:
        return "no significant deviation"
    if test == "bias":
        fault = f"means too {'high' if statistic > 0 else 'low'} by {abs(statistic):.2f} std"
    elif test == "spread":
        size = "small" if statistic > 1 else "large"
        fault = f"std too {size} by a factor of {_ratio(statistic)}"
    elif test == "correlation":
        fault = f"pulls of two parameters correlate by {statistic:+.2f} more than stated"
    else:
        fault = f"up to {statistic:.2f} from the diagonal"
    return f"{fault} ({'highly ' if p_value < CLEAR else ''}significant)"


def _ratio(spread: float) -> str:
    return f"{spread if spread > 1 else 1 / spread:.2f}" if spread else "infinity"


def calibration_rows(report: RunReport) -> list[dict[str, str]]:
    """List each calibration test before and after recalibration, side by side."""
    tests: dict[tuple[str, str], dict[str, Mapping[str, Any]]] = {}
    for record in report.calibration_tests:
        tests.setdefault((record["parameter"], record["test"]), {})[record["sigma"]] = record
    return [
        {
            "parameter": parameter,
            "test": test,
            **{key: value for sigma in both for key, value in _judge(sigma, both[sigma]).items()},
        }
        for (parameter, test), both in tests.items()
    ]


def test_rows(tests: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """List calibration tests without recalibration."""
    return [
        {"parameter": test["parameter"], "test": test["test"], **_judge("inferred", test)}
        for test in tests
    ]


def _judge(sigma: str, record: Mapping[str, Any]) -> dict[str, str]:
    statistic, p_value = record["statistic"], record["p_value"]
    return {
        f"{sigma}_statistic": f"{statistic:.3f}",
        f"{sigma}_p": "-" if p_value is None else f"{p_value:.2g}",
        f"{sigma}_verdict": verdict(record["test"], statistic, p_value),
        f"{sigma}_doubt": "doubt" if p_value is not None and p_value < DOUBT else "",
    }


def calibration_summary(report: RunReport) -> str:
    """Count the tests with a significant deviation."""
    parts = []
    for sigma, words in {"inferred": "as inferred", "recalibrated": "after recalibration"}.items():
        p_values = [
            record["p_value"]
            for record in report.calibration_tests
            if record["sigma"] == sigma and record["p_value"] is not None
        ]
        faults = sum(p < DOUBT for p in p_values)
        parts.append(f"{faults} of {len(p_values)} tests {words}")
    return (
        f"Significant deviations (p < {DOUBT:g}): {', '.join(parts)}. "
        f"Calibrated posteriors deviate in about {100 * DOUBT:g}% of the tests."
    )


# ---- tuning ----


def best_trials(trials: Sequence[Mapping[str, Any]], n: int) -> list[dict[str, str]]:
    """Format the best complete trials, best first."""
    complete = [
        trial
        for trial in trials
        if trial["state"] == "COMPLETE" and math.isfinite(float(trial["value"]))
    ]
    ranked = sorted(complete, key=lambda trial: (trial["value"], trial["number"]))[:n]
    formats = {"number": "d", "value": ".3f", "lr": ".2e", "wd": ".2e", "dr": ".3f"} | {
        "hidden": "d",
        "best_epoch": "d",
        "seconds": ".0f",
    }
    return [
        {
            key: "-" if trial[key] is None else f"{trial[key]:{form}}"
            for key, form in formats.items()
        }
        for trial in ranked
    ]


# ---- provenance ----


def duration(seconds: float) -> str:
    """Format a time in seconds as hours and minutes, or minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def find_seeds(parameters: Mapping[str, Any], prefix: str = "") -> dict[str, int]:
    """List all parameters named seed, by their full names."""
    seeds: dict[str, int] = {}
    for key, value in parameters.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            seeds |= find_seeds(value, f"{name}.")
        elif key == "seed" or key.endswith("_seed"):
            seeds[name] = value
    return seeds


# ---- for scale: results of the published benchmark and its followers on real CMD suites ----

PUBLISHED = (
    (
        "N-body Mtot, 6,000 test rows",
        "epsilon 1.58%, R2 0.9974, chi2 0.54",
        "epsilon 1.34%, R2 0.987, chi2 0.78",
        "released result file",
    ),
    (
        "the same, smoothed by 3 pixels",
        "epsilon 5.7%",
        "epsilon 1.8%",
        "released result file",
    ),
    ("Mtot across suites", "4%", "2.5%", "arXiv:2109.10360"),
    (
        "T of IllustrisTNG, smoothed by 2 pixels, six parameters",
        "relative error 5.2%",
        "relative error 4.7%",
        "test loss -11.58",
    ),
    ("T, trained on IllustrisTNG, tested on SIMBA", "relative error about 48%", "", "not robust"),
    ("P(k) of Mgas, linear fit or small network", "R2 0.83", "R2 0.45 to 0.54", "other authors"),
)
"""Case, Omega_m, sigma_8, source. Errors are relative to the true value."""
