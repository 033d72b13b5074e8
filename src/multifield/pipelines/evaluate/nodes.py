"""Nodes of `evaluate`."""

from multifield import evaluation, models, training, tuning
from multifield.evaluation.config import EvaluationConfig
from multifield.evaluation.results import Results
from multifield.maps.loader import SplitLoaders
from multifield.models.folder import ModelFolder
from multifield.provenance import fingerprint
from multifield.selection import Selection
from multifield.training.config import TrainingConfig

# Kedro reads these annotations to check parameters. What is slow to import is named as an attribute of
# its package, in quotes: it is imported when a run reads it, and `kedro --help` stays quick.


def load_best(
    study: "tuning.Study",
    networks: ModelFolder,
    data: SplitLoaders,
    training_config: TrainingConfig,
) -> "models.O3Err":
    """Load the best trial's network, if trained on this split; see `multifield.tuning`."""
    causes = fingerprint(data, training_config)
    tuning.check_fingerprint(study, causes, networks.database)
    return models.load_weights(networks.weights(tuning.best_trial(study).number))


def predict_test_maps(
    network: "models.O3Err",
    data: SplitLoaders,
    training_config: TrainingConfig,
    config: EvaluationConfig,
) -> Results:
    """Infer the parameters of maps never seen; see `multifield.evaluation.predict`."""
    orientations, device = range(config.orientations), training_config.device
    return evaluation.predict(network, data.test, orientations, device=device)


def score_results(results: Results) -> dict[str, dict[str, float]]:
    """Compute every metric; see `multifield.evaluation.score_results`."""
    return evaluation.score_results(results)


def plot_results(
    results: Results, selection: Selection, config: EvaluationConfig
) -> "evaluation.figures.Figure":
    """Draw truth against prediction; see `multifield.evaluation.figures`."""
    return evaluation.figures.true_against_predicted(
        results, selection.suite, selection.field, n_orientations=config.orientations
    )


def plot_losses(
    study: "tuning.Study", networks: ModelFolder, selection: Selection
) -> "evaluation.figures.Figure":
    """Draw the losses of all trials; see `multifield.evaluation.figures`."""
    losses = {
        trial.number: training.read_losses(networks.losses(trial.number))
        for trial in tuning.rank_trials(study)
    }
    best = tuning.best_trial(study).number
    return evaluation.figures.loss_curves(losses, best, selection.suite, selection.field)
