"""Studies beyond one network on one suite.

This package exports the baselines. `multifield.studies.robustness` tests networks on other suites,
`multifield.studies.field_selection` finds the most informative fields, `multifield.studies.explain`
measures what a network reads, and `multifield.studies.scoring` scores predictions of any program.
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
