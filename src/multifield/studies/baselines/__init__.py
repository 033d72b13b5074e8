"""Baselines from summary statistics, the exact posterior of mock fields, and a table of scores."""

from multifield.studies.baselines.exact_posterior import exact_results, infer_exactly
from multifield.studies.baselines.regression import BASELINES, infer_with_baselines
from multifield.studies.baselines.score_table import compare

__all__ = ["BASELINES", "compare", "exact_results", "infer_exactly", "infer_with_baselines"]
