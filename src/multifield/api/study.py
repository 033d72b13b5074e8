"""A study: many trainings, whose hyperparameters Optuna draws."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from multifield import prediction, reporting, training, tuning
from multifield.api.network import (
    FittedNetwork,
    load_parts,
    model_folder,
    settings_of,
    trained_on,
)
from multifield.api.settings import OF_TUNING
from multifield.api.suite import Suite, write_json
from multifield.config.schema import Parameters
from multifield.data import SplitLoaders
from multifield.models.model_folder import ModelFolder
from multifield.training.fingerprint import fingerprint


@dataclass(frozen=True, eq=False, repr=False)
class Study:
    """Trials of one suite, and their networks.

    Attributes
    ----------
    optuna : optuna.study.Study
        The study itself: all that Optuna can do with one is open.
    suite : Suite
        Maps of the trials.
    folder : ModelFolder
        Where database, weights and losses are.
    parameters : Parameters
        All settings.
    card : multifield.prediction.ModelCard
        All that is known of the best networks.
    """

    optuna: "tuning.Study"
    suite: Suite
    folder: ModelFolder
    parameters: Parameters
    card: "prediction.ModelCard"

    @property
    def trials(self) -> pd.DataFrame:
        """All trials: state, value (lowest validation loss), hyperparameters, best epoch, seconds."""
        return pd.DataFrame(tuning.trials_table(self.optuna)).set_index("number")

    @property
    def best(self) -> int:
        """Number of the trial of the lowest validation loss."""
        return tuning.best_trial(self.optuna).number

    def load_network(self, trial: int | None = None, *, n_networks: int = 1) -> FittedNetwork:
        """Load the network of a trial, or the best ones together.

        Parameters
        ----------
        trial : int, optional
            Number of the trial. If not given, the best.
        n_networks : int, optional
            Number of best networks whose posteriors are averaged, where no trial is named.

        Returns
        -------
        network : FittedNetwork
            The network, ready to infer.

        Raises
        ------
        ValueError
            If the study has no such trial with a network, or fewer networks.
        """
        card = self.card if trial is None else self._describe(trial)
        networks = prediction.load_networks(card, self.folder, n_networks)
        losses = training.read_losses(self.folder.losses(card.networks[0].trial))
        return FittedNetwork(card, networks, self.parameters.training, losses)

    def plot(self) -> Any:
        """Draw the losses of all trials, epoch by epoch.

        Returns
        -------
        figure : matplotlib.figure.Figure
            The best trial in full, the validation loss of the others.
        """
        losses = {
            trial.number: training.read_losses(self.folder.losses(trial.number))
            for trial in tuning.rank_trials(self.optuna)
        }
        selection = self.suite.selection
        return reporting.figures.loss_curves(losses, self.best, selection.suite, selection.field)

    def __repr__(self) -> str:
        """Say how the study went."""
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

    Database, weights, losses and card are stored in ``06_models`` of the data folder of the suite, under the
    names that the pipelines use. The same call with more trials goes on with the study; an interrupted one
    is resumed.

    Parameters
    ----------
    suite : Suite
        Maps to train, validate and test on.
    n_trials : int, optional
        Number of trials in the end. If not given, that of ``conf``.
    recipe : str, optional
        How networks are trained; see `train`.
    epochs : int, optional
        Epochs of each trial. If not given, that of ``conf``.
    **settings : object
        Other values than those of ``conf``: any of ``training``, or of ``tuning`` in
        ``conf/base/tune/parameters.yml``, such as ``search_space``, ``pruner``, ``keep_weights``, ``seed``;
        ``workers``, the number of processes that train; ``scheduler``; ``storage``; ``models_folder``.

    Returns
    -------
    study : Study
        The trials, and their networks.

    Raises
    ------
    TypeError
        If a setting has no such name.
    ValueError
        If a value is out of range, or the study there was tuned with other settings.
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
