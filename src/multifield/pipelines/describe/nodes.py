"""Node of `describe`, which also ends `tune`."""

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
    """Write the model card of a study; see `multifield.prediction.describe_networks`."""
    tuning.check_fingerprint(study, fingerprint(data, training), networks.database)
    return prediction.describe_networks(
        prediction.trained_networks(study, networks.weights, config.top_k),
        prediction.TrainedOn(data, split, normalization, manifest, preprocessing),
        networks,
        training,
        config,
        prediction.known_causes(study),
    )
