"""Scores of predictions that any program made, as ``multifield score`` writes them."""

from multifield.studies.scoring.run import score_files
from multifield.studies.scoring.scores import Scores, compare_scores, score_predictions
from multifield.studies.scoring.tables import Layout, Predictions, read_predictions

__all__ = [
    "Layout",
    "Predictions",
    "Scores",
    "compare_scores",
    "read_predictions",
    "score_files",
    "score_predictions",
]
