"""Nodes of `tune`."""

from typing import Any

from multifield import tuning
from multifield.config.training import ExecutionConfig, TrainingConfig
from multifield.config.tuning import TuningConfig
from multifield.data.split_loaders import SplitLoaders
from multifield.models.model_folder import ModelFolder
from multifield.pipelines.records import to_frame
from multifield.training.causes import fingerprint


def tune_network(
    data: SplitLoaders,
    folder: ModelFolder,
    training_config: TrainingConfig,
    execution: ExecutionConfig,
    config: TuningConfig,
) -> "tuple[tuning.Study, ModelFolder]":
    """Train the trials of a study; see `multifield.tuning.tune_and_show`."""
    causes = fingerprint(data, training_config)
    return tuning.tune_and_show(data, folder, config, training_config, execution, causes), folder


def list_trials(study: "tuning.Study") -> Any:
    """Tabulate all trials; see `multifield.tuning.trials_table`."""
    return to_frame(tuning.trials_table(study))
