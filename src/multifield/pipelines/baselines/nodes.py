"""Nodes of `baselines`."""

from collections.abc import Mapping
from typing import Any

from multifield import evaluation, studies
from multifield.camels.selection import Selection
from multifield.config.studies import BaselinesConfig
from multifield.core.arrays import Theta
from multifield.data.preprocess import LogMaps
from multifield.data.split_loaders import SplitLoaders
from multifield.maps.splits import Split
from multifield.pipelines.records import to_frame


def infer_with_baselines(
    data: SplitLoaders, config: BaselinesConfig
) -> "dict[str, evaluation.Results]":
    """Fit and test regressions; see `multifield.studies.infer_with_baselines`."""
    return studies.infer_with_baselines(data, config)


def infer_exactly(
    selection: Selection, log_maps: Mapping[str, LogMaps], theta: Theta, split: Split
) -> "dict[str, evaluation.Results]":
    """Compute the exact posterior of `MockGaussian`; see `multifield.studies.infer_exactly`."""
    return studies.infer_exactly(selection.suite, log_maps, theta, split)


def compare_methods(
    baselines: "Mapping[str, evaluation.Results]",
    exact: "Mapping[str, evaluation.Results]",
    networks: "Mapping[str, evaluation.Results]",
) -> Any:
    """Score all results on the same test maps; see `multifield.studies.compare`."""
    return to_frame(studies.compare({**baselines, **exact}, networks))
