"""Nodes of `select_fields`."""

from collections.abc import Mapping, Sequence
from typing import Any

from multifield import reporting, training, tuning
from multifield.camels.selection import Selection
from multifield.config.data import NormalizationConfig, SplitConfig
from multifield.config.evaluation import EvaluationConfig
from multifield.config.studies import SelectFieldsConfig
from multifield.config.training import ExecutionConfig, Hyperparameters, TrainingConfig
from multifield.config.tuning import TuningConfig
from multifield.core.arrays import Theta
from multifield.data.field_sets import FieldLoaders, FieldSet
from multifield.data.manifest import Manifest
from multifield.data.normalization import Normalization
from multifield.data.preprocess import LogMaps
from multifield.maps.splits import Split
from multifield.models.model_folder import ModelFolder
from multifield.pipelines.records import to_frame
from multifield.studies import field_selection


def gather_fields(
    log_maps: Mapping[str, LogMaps],
    theta: Theta,
    split: Split,
    normalization: Normalization,
    manifest: Manifest,
    split_config: SplitConfig,
    normalization_config: NormalizationConfig,
    training_config: TrainingConfig,
) -> FieldLoaders:
    """Make loaders of any set of fields; see `multifield.data.field_sets.FieldLoaders`."""
    others = {
        "theta": theta,
        "split": split,
        "manifest": manifest,
        "split_config": split_config,
        "normalization_config": normalization_config,
        "batch_size": training_config.batch_size,
        "parameters": training_config.parameters,
        "head": training_config.head,
        **training.loader_options(training_config),
    }
    return FieldLoaders(log_maps, normalization, others)


def train_scorer(
    loaders: FieldLoaders,
    folder: ModelFolder,
    training_config: TrainingConfig,
    tuning_config: TuningConfig,
    config: SelectFieldsConfig,
    execution: ExecutionConfig,
) -> "tuple[tuning.Study, ModelFolder]":
    """Train a network for all sets; see `multifield.studies.field_selection.train_scorer`."""
    study = field_selection.train_scorer(
        loaders, folder, training_config, tuning_config, config, execution
    )
    return study, folder


def score_sets(
    study: "tuning.Study",
    folder: ModelFolder,
    loaders: FieldLoaders,
    training_config: TrainingConfig,
    config: SelectFieldsConfig,
) -> "field_selection.FieldScores":
    """Score field sets; see `multifield.studies.field_selection.score_sets`."""
    return field_selection.score_sets(study, folder, loaders, training_config, config)


def propose_finalists(
    scores: "field_selection.FieldScores", config: SelectFieldsConfig
) -> list[FieldSet]:
    """Choose field sets to train; see `multifield.studies.field_selection.propose_finalists`."""
    goals = field_selection.choose_goals(scores.inferred)
    return field_selection.propose_finalists(scores.sets, goals, config.fractions, config.search)


def train_finalists(
    finalists: Sequence[FieldSet],
    loaders: FieldLoaders,
    folder: ModelFolder,
    training_config: TrainingConfig,
    tuning_config: TuningConfig,
    config: SelectFieldsConfig,
    hyperparameters: Hyperparameters,
    execution: ExecutionConfig,
) -> "tuple[tuning.Study, ModelFolder]":
    """Train networks on each set; see `multifield.studies.field_selection.train_finalists`."""
    study = field_selection.train_finalists(
        finalists,
        loaders,
        folder,
        training_config,
        tuning_config,
        config,
        hyperparameters,
        execution,
    )
    return study, folder


def measure_finalists(
    study: "tuning.Study",
    folder: ModelFolder,
    finalists: Sequence[FieldSet],
    loaders: FieldLoaders,
    training_config: TrainingConfig,
    evaluation_config: EvaluationConfig,
    config: SelectFieldsConfig,
) -> "list[field_selection.MeasuredSet]":
    """Test the networks; see `multifield.studies.field_selection.measure_finalists`."""
    information = field_selection.measure_finalists(
        study, folder, finalists, loaders, training_config, evaluation_config, config
    )
    n_maps = loaders.load(loaders.fields).test.maps_per_simulation
    return field_selection.compare_sets(information, evaluation_config.bootstrap, n_maps)


def list_sets(
    scores: "field_selection.FieldScores", measured: "Sequence[field_selection.MeasuredSet]"
) -> Any:
    """Tabulate all field sets; see `multifield.studies.field_selection.list_sets`."""
    return to_frame(field_selection.list_sets(scores, measured))


def find_smallest(
    scores: "field_selection.FieldScores",
    measured: "Sequence[field_selection.MeasuredSet]",
    selection: Selection,
    split: SplitConfig,
    evaluation_config: EvaluationConfig,
    config: SelectFieldsConfig,
) -> "field_selection.FieldSelection":
    """Find the smallest sets; see `multifield.studies.field_selection.find_smallest`."""
    return field_selection.find_smallest(
        measured,
        config.fractions,
        selection.suite,
        evaluation_config.bootstrap,
        scores,
        split.n_test,
    )


def plot_sets(
    scores: "field_selection.FieldScores",
    measured: "Sequence[field_selection.MeasuredSet]",
    found: "field_selection.FieldSelection",
) -> "reporting.figures.Figure":
    """Draw information by set size; see `studies.field_selection.figures.information_of_sets`."""
    records = field_selection.list_sets(scores, measured)
    names = field_selection.name_smallest(found)
    in_all = {goal: each.value for goal, each in found.information_in_all.items()}
    return field_selection.figures.information_of_sets(
        records, names, in_all, found.suite, found.level
    )
