"""Training of one network, and what studies share with it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from multifield import camels, prediction, training
from multifield.api.network import FittedNetwork
from multifield.api.settings import OF_TRAINING, make_parameters, place_settings
from multifield.api.suite import MODELS, Suite
from multifield.config.schema import Parameters
from multifield.core.atomic_files import write_json
from multifield.data import SplitLoaders, load_splits
from multifield.models.model_folder import ModelFolder
from multifield.prediction.describe import SINGLE
from multifield.training.causes import fingerprint


def train(
    suite: Suite, *, recipe: str | None = None, epochs: int | None = None, **settings: Any
) -> FittedNetwork:
    """Train one network, as ``multifield run --pipelines train`` does.

    Weights, losses and card are stored in ``06_models`` of the data folder of the suite, with the
    file names of the pipelines. The same call resumes an interrupted training.

    Parameters
    ----------
    suite : Suite
        Training, validation and test maps.
    recipe : str, optional
        Recipe of the training: ``published``, the benchmark's; or ``multifield``,
        recommended. If not given, that of ``conf``.
    epochs : int, optional
        Number of epochs. If not given, that of ``conf``.
    **settings : object
        Settings that replace those of the recipe: any of ``training`` and ``hyperparameters`` in
        ``conf/base/train/parameters.yml``, such as ``lr``, ``wd``, ``dr``, ``hidden``,
        ``batch_size``, ``loss``, ``seed``, ``device``, ``n_threads``; ``workers`` or ``scheduler``;
        ``models_folder``.

    Returns
    -------
    network : FittedNetwork
        Network of the epoch with the lowest validation loss.

    Raises
    ------
    TypeError
        If a setting is unknown.
    ValueError
        If a value is out of range, or there is a checkpoint of a training with other settings.
    """
    chosen = {"recipe": recipe, "epochs": epochs}
    given = {name: value for name, value in chosen.items() if value is not None} | settings
    parameters = settings_of(suite, given, OF_TRAINING)
    folder, data = model_folder(suite, parameters), load_parts(suite, parameters)
    config, hyperparameters = parameters.training, parameters.hyperparameters
    task = training.TrainingTask(
        name=SINGLE,
        data=data,
        hyperparameters=hyperparameters,
        config=config,
        seed=config.seed,
        checkpoint=folder.checkpoint(SINGLE),
    )
    result = training.train_on_workers(task, parameters.execution)
    result.publish(folder.weights(SINGLE))
    training.write_losses(folder.losses(SINGLE), result.losses)
    card = prediction.describe_networks(
        [prediction.trained_alone(folder, hyperparameters, result.losses)],
        trained_on(suite, data),
        folder,
        config,
        parameters.card,
        fingerprint(data, config),
    )
    write_json(folder.card(SINGLE), card)
    task.clean()
    return FittedNetwork(card, prediction.load_networks(card, folder, 1), config, result.losses)


def settings_of(suite: Suite, given: Mapping[str, Any], places: Mapping[str, str]) -> Parameters:
    """Return the parameters of a run on a suite.

    Parameters
    ----------
    suite : Suite
        Maps of the run.
    given : mapping of str to object
        Replaced settings by keyword.
    places : mapping of str to str
        Dotted names by keyword.

    Returns
    -------
    parameters : Parameters
        Typed and checked parameters.
    """
    own = {"models_folder": str(suite.data / MODELS)}
    placed = {**suite.settings, **own, **place_settings(given, places)}
    return make_parameters(suite.environment, placed, places)


def model_folder(suite: Suite, parameters: Parameters) -> ModelFolder:
    """Return the folder of the networks of a suite, with the file names of the pipelines.

    Parameters
    ----------
    suite : Suite
        Maps of the networks.
    parameters : Parameters
        Settings of the training.

    Returns
    -------
    folder : ModelFolder
        Folder of the networks.
    """
    config, preprocessing = parameters.training, parameters.preprocessing
    label = camels.recipe_label(
        config.steps_up,
        config.steps_down,
        preprocessing.smoothing_width,
        preprocessing.remove_monopole,
        config.architecture,
        config.schedule,
        config.head,
    )
    return ModelFolder(
        path=Path(parameters.models_folder).expanduser(),
        suite=suite.name,
        field=suite.selection.field,
        label=label + preprocessing.suffix,
    )


def load_parts(suite: Suite, parameters: Parameters) -> SplitLoaders:
    """Return the loaders of training, validation and test maps.

    Parameters
    ----------
    suite : Suite
        Maps.
    parameters : Parameters
        Settings of the training.

    Returns
    -------
    data : SplitLoaders
        Three loaders.
    """
    return load_splits(
        suite.log_maps,
        suite.theta,
        suite.split,
        suite.normalization,
        suite.manifest,
        split_config=parameters.split,
        normalization_config=parameters.normalization,
        batch_size=parameters.training.batch_size,
        parameters=parameters.training.parameters,
        head=parameters.training.head,
        **training.loader_options(parameters.training),
    )


def trained_on(suite: Suite, data: SplitLoaders) -> "prediction.TrainedOn":
    """Return the description of the training maps for a card.

    Parameters
    ----------
    suite : Suite
        Maps of the training.
    data : SplitLoaders
        Loaders of the training.

    Returns
    -------
    trained_on : multifield.prediction.TrainedOn
        Description of the training maps.
    """
    return prediction.TrainedOn(
        data, suite.split, suite.normalization, suite.manifest, suite.parameters.preprocessing
    )
