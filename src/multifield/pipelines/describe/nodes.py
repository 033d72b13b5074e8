"""Nodes that write the card of networks; `tune` and `train` end with them."""

from multifield import prediction, tuning
from multifield.config.data import PreprocessingConfig
from multifield.config.prediction import CardConfig
from multifield.config.training import TrainingConfig
from multifield.data.manifest import Manifest
from multifield.data.normalization import Normalization
from multifield.data.split_loaders import SplitLoaders
from multifield.maps.splits import Split
from multifield.models.model_folder import ModelFolder
from multifield.training.causes import fingerprint

# Kedro reads these annotations to check parameters. What is slow to import is named as an attribute of
# its package, in quotes: it is imported when a run reads it, and `kedro --help` stays quick.


def describe_networks(
    study: "tuning.Study",
    networks: ModelFolder,
    data: SplitLoaders,
    split: Split,
    normalization: Normalization,
    manifest: Manifest,
    preprocessing: PreprocessingConfig,
    training: TrainingConfig,
    config: CardConfig,
) -> "prediction.ModelCard":
    """Write the card of a study's networks, if trained on these data; see `multifield.prediction`."""
    tuning.check_fingerprint(study, fingerprint(data, training), networks.database)
    return prediction.describe_networks(
        prediction.trained_networks(study, networks.weights, config.top_k),
        prediction.TrainedOn(data, split, normalization, manifest, preprocessing),
        networks,
        training,
        config,
        prediction.known_causes(study),
    )
