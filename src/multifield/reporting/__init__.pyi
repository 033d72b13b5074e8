from . import figures as figures
from .report import RunReport as RunReport
from .report import describe_device as describe_device
from .report import render_report as render_report
