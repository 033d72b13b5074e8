"""Figures of results, calibration, training and maps, in one style for print.

Each function returns a `matplotlib.figure.Figure` and touches no state of pyplot. Widths are those
of a journal page, colours those of Okabe and Ito, which the colour-blind tell apart.
"""

from matplotlib.figure import Figure

from multifield.evaluation.figures.calibration import calibration
from multifield.evaluation.figures.examples import best_and_worst, saliency
from multifield.evaluation.figures.field_selection import information_of_sets
from multifield.evaluation.figures.losses import best_losses, loss_curves
from multifield.evaluation.figures.maps import fields_mosaic, maps_mosaic
from multifield.evaluation.figures.posterior import posterior_of_maps
from multifield.evaluation.figures.residuals import residuals
from multifield.evaluation.figures.robustness import smoothing_scan, suite_matrices
from multifield.evaluation.figures.spectra import spectra
from multifield.evaluation.figures.study import (
    hyperparameter_importance,
    parallel_coordinates,
    study_history,
)
from multifield.evaluation.figures.style import COLUMN_WIDTH, PAGE_WIDTH, suite_title
from multifield.evaluation.figures.truth import MAX_POINTS, true_against_predicted

__all__ = [
    "COLUMN_WIDTH",
    "MAX_POINTS",
    "PAGE_WIDTH",
    "Figure",
    "best_and_worst",
    "best_losses",
    "calibration",
    "fields_mosaic",
    "hyperparameter_importance",
    "information_of_sets",
    "loss_curves",
    "maps_mosaic",
    "parallel_coordinates",
    "posterior_of_maps",
    "residuals",
    "saliency",
    "smoothing_scan",
    "spectra",
    "study_history",
    "suite_matrices",
    "suite_title",
    "true_against_predicted",
]
