"""Pages about predictions of any program: scores of one file, and a comparison of several."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from multifield import camels
from multifield.evaluation.intervals import Interval, Intervals
from multifield.evaluation.metrics import Metrics
from multifield.reporting.report import tables
from multifield.reporting.report.page import FIGURES, fill_template, inline

SCORE_FIGURES = ("true_against_predicted", "residuals", "calibration")
"""Names of the figures of a file."""
DIFFERENCES = {
    "log_prob": (1.0, ".3f"),
    **{metric: (factor, form) for metric, factor, form, _ in tables.KEY_METRICS.values()},
}
"""Metrics whose differences are shown -> factor and format."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ScoreReport:
    """All data of the page about one file.

    Attributes
    ----------
    name, sha256 : str
        Name and checksum of the file.
    metrics : dict of dict of float
        Metric -> parameter -> value.
    intervals : dict of dict of Interval
        Their intervals.
    log_prob : float
        Mean joint log-probability of the truth [nats].
    log_prob_interval : Interval or None
        Its interval.
    tests : sequence of mapping
        Calibration tests.
    space : ParameterSpace
        Parameters of the table of the file.
    figures : mapping of str to bytes
        PNG of each figure of `SCORE_FIGURES`.
    n_rows, n_simulations, n_orientations, n_draws : int
        Numbers of rows, simulations, orientations and draws per row. No draws: 0.
    level : float
        Share of the resamples inside an interval.
    software : dict of str to str
        Versions of the software.
    date : str
        Date and time of the page.
    """

    name: str
    sha256: str
    metrics: Metrics
    intervals: Intervals
    log_prob: float
    log_prob_interval: Interval | None
    tests: Sequence[Mapping[str, Any]]
    space: camels.ParameterSpace
    figures: Mapping[str, bytes]
    n_rows: int
    n_simulations: int
    n_orientations: int
    n_draws: int
    level: float
    software: dict[str, str]
    date: str


def render_scores(report: ScoreReport) -> str:
    """Render the page about one file, in the frame of the report of a run.

    Parameters
    ----------
    report : ScoreReport
        Data of the page.

    Returns
    -------
    page : str
        The HTML page.
    """
    return fill_template(
        "scores.html.j2",
        report.space,
        title=f"Scores of {report.name}",
        report=report,
        headings=list(tables.KEY_METRICS),
        rows=tables.metric_rows(report.metrics, report.intervals),
        log_prob=_log_prob_cell(report),
        tests=tables.test_rows(report.tests),
        level=100 * report.level,
        figures={name: inline(report.figures[name]) for name in SCORE_FIGURES},
        captions=FIGURES,
    )


def render_comparison(
    reports: Sequence[ScoreReport], differences: Sequence[Mapping[str, Any]]
) -> str:
    """Render the page that compares several files.

    Parameters
    ----------
    reports : sequence of ScoreReport
        Data of each file. The first one is the reference of the differences.
    differences : sequence of mapping
        ``file``, ``parameter``, ``metric``, ``difference``, ``low`` and ``high`` of files with the
        maps of the reference.

    Returns
    -------
    page : str
        The HTML page.
    """
    names = camels.in_table_order(name for each in reports for name in each.metrics["RMSE"])
    scores = {
        report.name: dict(tables.metric_rows(report.metrics, report.intervals))
        for report in reports
    }
    return fill_template(
        "comparison.html.j2",
        reports[0].space,
        title=f"Comparison of {len(reports)} predictions",
        reports=reports,
        reference=reports[0].name,
        headings=list(tables.KEY_METRICS),
        log_probs=[(report.name, _log_prob_cell(report)) for report in reports],
        rows=[
            (name, file, cells[name])
            for name in names
            for file, cells in scores.items()
            if name in cells
        ],
        differences=_difference_rows(differences),
        level=100 * reports[0].level,
    )


def _log_prob_cell(report: ScoreReport) -> tables.Cell:
    interval = report.log_prob_interval
    ends = f"{interval.low:.3f} to {interval.high:.3f}" if interval else ""
    return f"{report.log_prob:.3f}", ends


def _difference_rows(
    differences: Sequence[Mapping[str, Any]],
) -> list[tuple[str, str, str, tables.Cell, str]]:
    """List file, parameter, metric, difference, and whether the interval excludes zero."""
    rows = []
    for record in differences:
        if record["metric"] not in DIFFERENCES:
            continue
        factor, form = DIFFERENCES[record["metric"]]
        value, low, high = (factor * record[key] for key in ("difference", "low", "high"))
        cell = (f"{value:+{form}}", f"{low:+{form}} to {high:+{form}}")
        clear = "yes" if low > 0 or high < 0 else "no"
        rows.append((record["file"], record["parameter"], record["metric"], cell, clear))
    return rows
