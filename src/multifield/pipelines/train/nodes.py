"""Nodes of `train`."""

from collections.abc import Mapping

from multifield import evaluation, training
from multifield.arrays import Theta
from multifield.maps.loader import load_splits
from multifield.maps.manifest import Manifest
from multifield.maps.normalization import Normalization, NormalizationConfig
from multifield.maps.preprocess import LogMaps
from multifield.maps.splits import Split, SplitConfig
from multifield.selection import Selection
from multifield.training.config import Hyperparameters, TrainingConfig
from multifield.training.loss_files import Losses

# Kedro reads these annotations to check parameters. What is slow to import is named as an attribute of
# its package, in quotes: it is imported when a run reads it, and `kedro --help` stays quick.


def train_network(
    log_maps: Mapping[str, LogMaps],
    theta: Theta,
    split: Split,
    normalization: Normalization,
    manifest: Manifest,
    split_config: SplitConfig,
    normalization_config: NormalizationConfig,
    hyperparameters: Hyperparameters,
    config: TrainingConfig,
) -> "tuple[training.StateDict, Losses]":
    """Train one network; see `multifield.training.train_network`."""
    data = load_splits(
        log_maps,
        theta,
        split,
        normalization,
        manifest,
        split_config=split_config,
        normalization_config=normalization_config,
        batch_size=config.batch_size,
    )
    trained = training.train_network(data, hyperparameters, config, report=training.log_epoch)
    return trained.state, trained.losses


def plot_losses(losses: Losses, selection: Selection) -> "evaluation.figures.Figure":
    """Draw the losses of the network; see `multifield.evaluation.figures`."""
    return evaluation.figures.loss_curves({0: losses}, 0, selection.suite, selection.field)
