"""Questions beyond one network on one suite: what a network adds to simple statistics.

From suite to suite is `multifield.studies.robustness`.
"""

from multifield.config.studies import BaselinesConfig
from multifield.studies.baselines import (
    BASELINES,
    compare,
    exact_results,
    infer_exactly,
    infer_with_baselines,
)

__all__ = [
    "BASELINES",
    "BaselinesConfig",
    "compare",
    "exact_results",
    "infer_exactly",
    "infer_with_baselines",
]
