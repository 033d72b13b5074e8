"""Questions beyond one network on one suite: what a network adds to simple statistics.

From suite to suite is `multifield.challenges.robustness`.
"""

from multifield.challenges.baselines import BASELINES, infer_with_baselines
from multifield.challenges.comparison import compare
from multifield.challenges.exact import exact_results, infer_exactly
from multifield.config.studies import BaselinesConfig

__all__ = [
    "BASELINES",
    "BaselinesConfig",
    "compare",
    "exact_results",
    "infer_exactly",
    "infer_with_baselines",
]
