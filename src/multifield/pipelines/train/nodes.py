"""Nodes of `train`."""

from multifield import evaluation, models, prediction, reporting, training
from multifield.camels.selection import Selection
from multifield.config.data import PreprocessingConfig
from multifield.config.evaluation import EvaluationConfig
from multifield.config.prediction import CardConfig
from multifield.config.training import ExecutionConfig, Hyperparameters, TrainingConfig
from multifield.data.manifest import Manifest
from multifield.data.normalization import Normalization
from multifield.data.split_loaders import SplitLoaders
from multifield.maps.splits import Split
from multifield.models.model_folder import ModelFolder
from multifield.pipelines.evaluate.nodes import predict_with
from multifield.training.causes import fingerprint
from multifield.training.loss_files import Losses

NAME = "single"  # used instead of a trial number, as in the catalog


def train_network(
    data: SplitLoaders,
    hyperparameters: Hyperparameters,
    config: TrainingConfig,
    execution: ExecutionConfig,
    folder: ModelFolder,
) -> "tuple[training.StateDict, Losses]":
    """Train one network or resume it; see `multifield.training.train_on_workers`."""
    task = training.TrainingTask(
        name=NAME,
        data=data,
        hyperparameters=hyperparameters,
        config=config,
        seed=config.seed,
        checkpoint=folder.checkpoint(NAME),
    )
    result = training.train_on_workers(task, execution)
    return result.load_state(), result.losses


def describe_network(
    network: "models.Network",
    losses: Losses,
    folder: ModelFolder,
    data: SplitLoaders,
    split: Split,
    normalization: Normalization,
    manifest: Manifest,
    preprocessing: PreprocessingConfig,
    hyperparameters: Hyperparameters,
    training_config: TrainingConfig,
    config: CardConfig,
) -> "prediction.ModelCard":
    """Write the model card; see `multifield.prediction.describe_networks`."""
    return prediction.describe_networks(
        [prediction.trained_alone(folder, hyperparameters, losses)],
        prediction.TrainedOn(data, split, normalization, manifest, preprocessing),
        folder,
        training_config,
        config,
        fingerprint(data, training_config),
    )


def remove_checkpoint(folder: ModelFolder, network: "models.Network", losses: Losses) -> None:
    """Remove the checkpoint of a stored network; see `multifield.training.remove_checkpoint`."""
    training.remove_checkpoint(folder.checkpoint(NAME))


def predict_held_out_maps(
    network: "models.Network",
    data: SplitLoaders,
    training_config: TrainingConfig,
    config: EvaluationConfig,
) -> "evaluation.Results":
    """Predict the test maps of the training suite; see `multifield.evaluation.predict`."""
    return predict_with(network, data.test, training_config, config)


def plot_losses(losses: Losses, selection: Selection) -> "reporting.figures.Figure":
    """Draw the losses of the network; see `multifield.reporting.figures.loss_curves`."""
    return reporting.figures.loss_curves({0: losses}, 0, selection.suite, selection.field)
