"""First node of every stage that trains or tests a network."""

from collections.abc import Mapping

from kedro.pipeline import Node

from multifield import training
from multifield.config.data import NormalizationConfig, SplitConfig
from multifield.config.training import TrainingConfig
from multifield.core.arrays import Theta
from multifield.data import split_loaders
from multifield.data.manifest import Manifest
from multifield.data.normalization import Normalization
from multifield.data.preprocess import LogMaps
from multifield.data.split_loaders import SplitLoaders
from multifield.maps.splits import Split
from multifield.pipelines.stage import step


def load_splits(
    log_maps: Mapping[str, LogMaps],
    theta: Theta,
    split: Split,
    normalization: Normalization,
    manifest: Manifest,
    split_config: SplitConfig,
    normalization_config: NormalizationConfig,
    training_config: TrainingConfig,
) -> SplitLoaders:
    """Check preprocessed maps and make their loaders; see `multifield.data.load_splits`."""
    return split_loaders.load_splits(
        log_maps,
        theta,
        split,
        normalization,
        manifest,
        split_config=split_config,
        normalization_config=normalization_config,
        batch_size=training_config.batch_size,
        parameters=training_config.parameters,
        head=training_config.head,
        **training.loader_options(training_config),
    )


def load_splits_into(data: str) -> Node:
    """Make the node whose output is `data`, the loaders of a stage."""
    return step(
        load_splits,
        inputs=[
            "log_maps",
            "theta",
            "split",
            "normalization",
            "manifest",
            "params:split",
            "params:normalization",
            "params:training",
        ],
        outputs=data,
    )
