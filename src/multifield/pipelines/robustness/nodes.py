"""Nodes of `robustness`."""

from collections.abc import Mapping, Sequence
from typing import Any

from multifield import reporting, training
from multifield.camels.selection import Selection
from multifield.config.data import NormalizationConfig, PreprocessingConfig, SplitConfig
from multifield.config.evaluation import EvaluationConfig
from multifield.config.ingest import SourceConfig
from multifield.config.prediction import CardConfig
from multifield.config.studies import RobustnessConfig
from multifield.config.training import ExecutionConfig, Hyperparameters, TrainingConfig
from multifield.pipelines.records import to_frame, to_records
from multifield.studies import robustness
from multifield.studies.robustness.folders import NetworkFolder, SuiteFolders


def bring_suites(
    config: RobustnessConfig,
    selection: Selection,
    source: SourceConfig,
    preprocessing: PreprocessingConfig,
    split: SplitConfig,
    folders: SuiteFolders,
) -> "dict[str, robustness.SuiteMaps]":
    """Prepare maps of all suites; see `multifield.studies.robustness.suite_maps.bring_suites`."""
    return robustness.suite_maps.bring_suites(
        config, selection.sim_set, source, preprocessing, split, folders
    )


def train_networks(
    suites: "Mapping[str, robustness.SuiteMaps]",
    config: RobustnessConfig,
    hyperparameters: Hyperparameters,
    training_config: TrainingConfig,
    normalization: NormalizationConfig,
    folder: NetworkFolder,
    execution: ExecutionConfig,
) -> "list[robustness.Trained]":
    """Train networks that are not stored yet; see `multifield.studies.robustness.train_all`."""
    with training.open_executor(execution) as executor:
        return robustness.train_all(
            suites, config, hyperparameters, training_config, normalization, folder, executor
        )


def score_networks(
    trained: "Sequence[robustness.Trained]",
    suites: "Mapping[str, robustness.SuiteMaps]",
    config: RobustnessConfig,
    evaluation_config: EvaluationConfig,
    card: CardConfig,
) -> Any:
    """Test every network on every suite; see `multifield.studies.robustness.score_all`."""
    scores = robustness.score_all(trained, suites, config, evaluation_config, card.novelty)
    return to_frame(scores)


def compare_robust_methods(scores: Any, config: RobustnessConfig) -> Any:
    """Compare the methods; see `multifield.studies.robustness.compare_methods`."""
    return to_frame(robustness.compare_methods(to_records(scores), config))


def plot_matrices(scores: Any, config: RobustnessConfig) -> "reporting.figures.Figure":
    """Draw matrices of errors; see `multifield.studies.robustness.figures.suite_matrices`."""
    alone = robustness.of_one_suite(to_records(scores), config.smoothing_widths[0])
    return robustness.figures.suite_matrices(alone)


def plot_smoothing_scan(scores: Any, config: RobustnessConfig) -> "reporting.figures.Figure":
    """Draw errors against smoothing; see `multifield.studies.robustness.figures.smoothing_scan`."""
    studied = [record for record in to_records(scores) if record["field"] in config.studied]
    return robustness.figures.smoothing_scan(robustness.of_one_suite(studied))
