from . import figures as figures
from .page import render_explanation as render_explanation
from .result import Explanation as Explanation
from .result import Row as Row
from .run import explain as explain
