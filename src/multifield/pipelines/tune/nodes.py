"""Nodes of `tune`."""

from typing import Any

from multifield import tuning
from multifield.maps.loader import SplitLoaders
from multifield.models.folder import ModelFolder
from multifield.provenance import fingerprint
from multifield.training.config import TrainingConfig
from multifield.tuning.config import TuningConfig

# Kedro reads these annotations to check parameters. What is slow to import is named as an attribute of
# its package, in quotes: it is imported when a run reads it, and `kedro --help` stays quick.


def tune_network(
    data: SplitLoaders,
    folder: ModelFolder,
    storage: "tuning.StudyStorage",
    training: TrainingConfig,
    config: TuningConfig,
) -> "tuple[tuning.Study, ModelFolder]":
    """Train trial after trial; see `multifield.tuning.tune`."""
    causes = fingerprint(data, training)
    with tuning.TuningProgress(config.n_trials, training.epochs) as progress:
        study = tuning.tune(
            data,
            folder,
            config,
            training,
            fingerprint=causes,
            storage=storage,
            **progress.watchers,
        )
    return study, folder


def list_trials(study: "tuning.Study") -> list[dict[str, Any]]:
    """Make a table of all trials; see `multifield.tuning.trials_table`."""
    return tuning.trials_table(study)
