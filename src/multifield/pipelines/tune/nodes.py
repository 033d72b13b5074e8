"""Nodes of `tune`."""

from collections.abc import Mapping
from typing import Any

from multifield import tuning
from multifield.arrays import Theta
from multifield.maps.loader import load_splits
from multifield.maps.manifest import Manifest
from multifield.maps.normalization import Normalization, NormalizationConfig
from multifield.maps.preprocess import LogMaps
from multifield.maps.splits import Split, SplitConfig
from multifield.models.folder import ModelFolder
from multifield.provenance import fingerprint
from multifield.training.config import TrainingConfig
from multifield.tuning.config import TuningConfig

# Kedro reads these annotations to check parameters. What is slow to import is named as an attribute of
# its package, in quotes: it is imported when a run reads it, and `kedro --help` stays quick.


def tune_network(
    log_maps: Mapping[str, LogMaps],
    theta: Theta,
    split: Split,
    normalization: Normalization,
    manifest: Manifest,
    split_config: SplitConfig,
    normalization_config: NormalizationConfig,
    folder: ModelFolder,
    training: TrainingConfig,
    config: TuningConfig,
) -> "tuple[tuning.Study, ModelFolder]":
    """Train trial after trial; see `multifield.tuning.tune`."""
    causes = fingerprint(manifest, log_maps, split, normalization, training)
    data = load_splits(
        log_maps,
        theta,
        split,
        normalization,
        manifest,
        split_config=split_config,
        normalization_config=normalization_config,
        batch_size=training.batch_size,
    )
    with tuning.TuningProgress(config.n_trials, training.epochs) as progress:
        study = tuning.tune(
            data,
            folder,
            config,
            training,
            fingerprint=causes,
            on_epoch=progress.on_epoch,
            on_trial_end=progress.on_trial_end,
        )
    return study, folder


def list_trials(study: "tuning.Study") -> list[dict[str, Any]]:
    """Make a table of all trials; see `multifield.tuning.trials_table`."""
    return tuning.trials_table(study)
