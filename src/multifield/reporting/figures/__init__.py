"""Figures of results, calibration, training and maps, in one style for print.

Each function returns a `matplotlib.figure.Figure` and does not change the state of pyplot. Widths
are those of a journal page. Colors are those of Okabe and Ito, which color-blind readers can
distinguish.
"""

from matplotlib.figure import Figure

from multifield.reporting.figures.calibration import calibration
from multifield.reporting.figures.corner import (
    contours_of_maps,
    corner,
    corner_of_simulation,
    spread,
)
from multifield.reporting.figures.examples import saliency, typical_and_worst
from multifield.reporting.figures.losses import loss_curves
from multifield.reporting.figures.maps import fields_mosaic, maps_mosaic
from multifield.reporting.figures.posterior import posterior_of_maps
from multifield.reporting.figures.residuals import residuals
from multifield.reporting.figures.spectra import spectra
from multifield.reporting.figures.study import (
    hyperparameter_importance,
    parallel_coordinates,
    study_history,
)
from multifield.reporting.figures.style import COLUMN_WIDTH, PAGE_WIDTH, suite_title
from multifield.reporting.figures.truth import MAX_POINTS, true_against_predicted

__all__ = [
    "COLUMN_WIDTH",
    "MAX_POINTS",
    "PAGE_WIDTH",
    "Figure",
    "calibration",
    "contours_of_maps",
    "corner",
    "corner_of_simulation",
    "fields_mosaic",
    "hyperparameter_importance",
    "loss_curves",
    "maps_mosaic",
    "parallel_coordinates",
    "posterior_of_maps",
    "residuals",
    "saliency",
    "spectra",
    "spread",
    "study_history",
    "suite_title",
    "true_against_predicted",
    "typical_and_worst",
]
