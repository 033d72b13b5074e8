from .bootstrap import simulation_of_rows as simulation_of_rows
from .calibration import check_calibration as check_calibration
from .calibration import compare_calibration as compare_calibration
from .draws import Draws as Draws
from .draws import draw as draw
from .ensembles import average_networks as average_networks
from .ensembles import combine_maps as combine_maps
from .ensembles import combine_posteriors as combine_posteriors
from .ensembles import fit_share as fit_share
from .metrics import compare_trials as compare_trials
from .examples import Examples as Examples
from .examples import choose_across as choose_across
from .examples import choose_typical_and_worst as choose_typical_and_worst
from .intervals import Interval as Interval
from .intervals import estimate_differences as estimate_differences
from .intervals import estimate_intervals as estimate_intervals
from .levels import Predictions as Predictions
from .levels import compare_levels as compare_levels
from .levels import name_predictions as name_predictions
from .metrics import METRICS as METRICS
from .metrics import score as score
from .metrics import score_results as score_results
from .prediction import predict as predict
from .intervals import (
    estimate_recalibrated_intervals as estimate_recalibrated_intervals,
)
from .recalibration import fit_sigma_factors as fit_sigma_factors
from .recalibration import recalibrate as recalibrate
from .recalibration import score_recalibrated as score_recalibrated
from .results import Results as Results
from .results import average_orientations as average_orientations
from .results import comparable as comparable
from .results import read_results as read_results
from .results import results_name as results_name
from .results import write_results as write_results
from .saliency import Attributions as Attributions
from .saliency import attribute_means as attribute_means
from .prediction import predict_shifted as predict_shifted
