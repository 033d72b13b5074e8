"""Nodes of `explain`."""

from collections.abc import Mapping

from multifield import models, reporting
from multifield.camels.selection import Selection
from multifield.config.evaluation import EvaluationConfig
from multifield.config.studies import ExplainConfig
from multifield.config.training import TrainingConfig
from multifield.data.split_loaders import SplitLoaders
from multifield.studies import explain


def explain_networks(
    networks: "Mapping[int, models.Network]",
    data: SplitLoaders,
    selection: Selection,
    config: ExplainConfig,
    evaluation_config: EvaluationConfig,
    training_config: TrainingConfig,
) -> "explain.Explanation":
    """Measure what networks and statistics read; see `multifield.studies.explain.explain`."""
    return explain.explain(
        data,
        list(networks.values()),
        selection.suite,
        selection.fields,
        config,
        evaluation_config.bootstrap,
        device=training_config.device,
        n_threads=training_config.n_threads,
        box=data.box,
    )


def plot_scales(explanation: "explain.Explanation") -> "reporting.figures.Figure":
    """Draw information by scale; see `multifield.studies.explain.figures.scales`."""
    return explain.figures.scales(explanation)


def plot_environments(explanation: "explain.Explanation") -> "reporting.figures.Figure":
    """Draw it by environment; see `multifield.studies.explain.figures.environments`."""
    return explain.figures.environments(explanation)


def plot_statistics(explanation: "explain.Explanation") -> "reporting.figures.Figure":
    """Draw it by group of statistics; see `multifield.studies.explain.figures.statistics`."""
    return explain.figures.statistics(explanation)


def plot_fields(explanation: "explain.Explanation") -> "reporting.figures.Figure":
    """Draw it by field and scale; see `multifield.studies.explain.figures.fields`."""
    return explain.figures.fields(explanation)


def write_explanation(explanation: "explain.Explanation", **figures: bytes) -> str:
    """Write the page; see `multifield.studies.explain.render_explanation`."""
    return explain.render_explanation(explanation, figures)
