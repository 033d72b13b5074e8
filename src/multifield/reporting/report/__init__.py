"""The report of a run: one self-contained HTML page with tables, figures and provenance."""

from multifield.reporting.report.contents import RunReport, describe_device
from multifield.reporting.report.page import render_report

__all__ = ["RunReport", "describe_device", "render_report"]
