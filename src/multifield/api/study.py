"""Hyperparameter studies with Optuna."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from multifield import prediction, reporting, training, tuning
from multifield.api.network import FittedNetwork
from multifield.api.settings import OF_TUNING
from multifield.api.suite import Suite
from multifield.api.training import load_parts, model_folder, settings_of, trained_on
from multifield.config.schema import Parameters
from multifield.core.atomic_files import write_json
from multifield.data import SplitLoaders
from multifield.models.model_folder import ModelFolder
from multifield.training.causes import fingerprint


@dataclass(frozen=True, eq=False, repr=False)
class Study:
    """Trials on one suite, and their networks.

    Attributes
    ----------
    optuna : optuna.study.Study
        Study of Optuna.
    suite : Suite
        Maps of the trials.
    folder : ModelFolder
        Folder of database, weights and losses.
    parameters : Parameters
        All settings.
    card : multifield.prediction.ModelCard
        Description of the best networks.
    """

    optuna: "tuning.Study"
    suite: Suite
    folder: ModelFolder
    parameters: Parameters
    card: "prediction.ModelCard"

    @property
    def trials(self) -> pd.DataFrame:
        """Table of all trials: state, best validation loss, hyperparameters, epoch, seconds."""
        return pd.DataFrame(tuning.trials_table(self.optuna)).set_index("number")

    @property
    def best(self) -> int:
        """Number of the trial with the lowest validation loss."""
        return tuning.best_trial(self.optuna).number

    def load_network(self, trial: int | None = None, *, n_networks: int = 1) -> FittedNetwork:
        """Load the network of a trial, or the best networks.

        Parameters
        ----------
        trial : int, optional
            Number of the trial. If not given, the best one.
        n_networks : int, optional
            Number of best networks whose posteriors are averaged, if `trial` is not given.

        Returns
        -------
        network : FittedNetwork
            Network for inference.

        Raises
        ------
        ValueError
            If there are no weights of this trial, or fewer networks.
        """
        card = self.card if trial is None else self._describe(trial)
        networks = prediction.load_networks(card, self.folder, n_networks)
        losses = training.read_losses(self.folder.losses(card.networks[0].trial))
        return FittedNetwork(card, networks, self.parameters.training, losses)

    def plot(self) -> Any:
        """Draw the losses of all trials per epoch.

        Returns
        -------
        figure : matplotlib.figure.Figure
            All losses of the best trial, and validation losses of the others.
        """
        losses = {
            trial.number: training.read_losses(self.folder.losses(trial.number))
            for trial in tuning.rank_trials(self.optuna)
        }
        selection = self.suite.selection
        return reporting.figures.loss_curves(losses, self.best, selection.suite, selection.field)

    def __repr__(self) -> str:
        """Return a summary of the trials."""
        selection = self.suite.selection
        return (
            f"Study of {selection.suite}: {', '.join(selection.fields)}, "
            f"best trial {self.best}\n{self.trials.to_string(max_rows=12)}"
        )

    def _describe(self, number: int) -> "prediction.ModelCard":
        ranked = {trial.number: trial for trial in tuning.rank_trials(self.optuna)}
        if number not in ranked or not self.folder.weights(number).is_file():
            known = ", ".join(map(str, self.folder.trials_with_weights()))
            raise ValueError(f"trial: Expected one with a network ({known}), got {number}.")
        network = prediction.trained_by(ranked[number], self.folder.weights(number))
        data = load_parts(self.suite, self.parameters)
        return _describe(self.optuna, [network], self.suite, data, self.folder, self.parameters)


def tune(
    suite: Suite,
    *,
    n_trials: int | None = None,
    recipe: str | None = None,
    epochs: int | None = None,
    **settings: Any,
) -> Study:
    """Search hyperparameters, as ``multifield run --pipelines tune`` does.

    Database, weights, losses and card are stored in ``06_models`` of the data folder of the suite,
    with the file names of the pipelines. The same call with more trials continues the study. The
    same call resumes an interrupted study.

    Parameters
    ----------
    suite : Suite
        Training, validation and test maps.
    n_trials : int, optional
        Total number of trials. If not given, that of ``conf``.
    recipe : str, optional
        Recipe of the training. See `train`.
    epochs : int, optional
        Number of epochs per trial. If not given, that of ``conf``.
    **settings : object
        Settings that replace those of ``conf``: any of ``training``, or of ``tuning`` in
        ``conf/base/tune/parameters.yml``, such as ``search_space``, ``pruner``, ``keep_weights``,
        ``seed``; ``workers``, the number of processes that train; ``scheduler``; ``storage``;
        ``models_folder``.

    Returns
    -------
    study : Study
        Trials and their networks.

    Raises
    ------
    TypeError
        If a setting is unknown.
    ValueError
        If a value is out of range, or the stored study has other settings.
    """
    chosen = {"n_trials": n_trials, "recipe": recipe, "epochs": epochs}
    given = {name: value for name, value in chosen.items() if value is not None} | settings
    parameters = settings_of(suite, given, OF_TUNING)
    folder, data = model_folder(suite, parameters), load_parts(suite, parameters)
    study = tuning.tune_and_show(
        data,
        folder,
        parameters.tuning,
        parameters.training,
        parameters.execution,
        fingerprint(data, parameters.training),
    )
    best = prediction.trained_networks(study, folder.weights, parameters.card.top_k)
    card = _describe(study, best, suite, data, folder, parameters)
    write_json(folder.card(), card)
    return Study(study, suite, folder, parameters, card)


def _describe(
    study: "tuning.Study",
    networks: "list[prediction.Trained]",
    suite: Suite,
    data: SplitLoaders,
    folder: ModelFolder,
    parameters: Parameters,
) -> "prediction.ModelCard":
    return prediction.describe_networks(
        networks,
        trained_on(suite, data),
        folder,
        parameters.training,
        parameters.card,
        prediction.known_causes(study),
    )
