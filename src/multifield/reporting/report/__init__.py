"""One self-contained page of HTML about a run: tables, figures, and where they come from."""

from multifield.reporting.report.contents import RunReport, describe_device
from multifield.reporting.report.page import render_report

__all__ = ["RunReport", "describe_device", "render_report"]
