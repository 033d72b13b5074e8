from . import figures as figures
from .report import RunReport as RunReport
from .report import ScoreReport as ScoreReport
from .report import describe_device as describe_device
from .report import render_comparison as render_comparison
from .report import render_report as render_report
from .report import render_scores as render_scores
