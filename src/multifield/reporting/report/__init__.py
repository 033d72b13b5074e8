"""The report of a run: one self-contained HTML page with tables, figures and provenance.

Predictions of other programs have a page of their own, and a page that compares them.
"""

from multifield.reporting.report.contents import RunReport, describe_device
from multifield.reporting.report.page import render_report
from multifield.reporting.report.scores import ScoreReport, render_comparison, render_scores

__all__ = [
    "RunReport",
    "ScoreReport",
    "describe_device",
    "render_comparison",
    "render_report",
    "render_scores",
]
