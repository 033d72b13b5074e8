"""One self-contained page of HTML about a run: tables, figures, and where they come from."""

from multifield.evaluation.report.contents import RunReport
from multifield.evaluation.report.device import describe_device
from multifield.evaluation.report.page import render_report

__all__ = ["RunReport", "describe_device", "render_report"]
