"""Search for the hyperparameters of a recipe, as in `tune`, with the same time per trial."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.recipes.recipe import Recipe
from benchmarks.recipes.training import Here, Trained, Workers, fit_into, learn, let_infer
from multifield.training import TrainedNetwork
from multifield.tuning import open_study, suggest
from multifield.tuning.sampler import derive_seed


@dataclass(frozen=True)
class Trial:
    """Trained network with drawn hyperparameters."""

    recipe: Recipe
    network: TrainedNetwork
    seconds: float  # cost of the training


@dataclass(frozen=True)
class Found:
    """Result of a search."""

    trials: Sequence[Trial]
    chosen: int  # number of the trial with the lowest validation loss
    best: Trained  # results of that trial; its cost is that of all trials


def fit_sizes(
    recipe: Recipe, workers: Workers, seconds: float, n_maps: int
) -> Mapping[int, Recipe]:
    """Set the number of epochs that fit into the time of a trial, for each width.

    The other hyperparameters do not change the cost of a step.
    """
    allowed = recipe.tuning.search_space.hidden
    widths = range(allowed.low, allowed.high + 1)
    sizes = [
        replace(recipe, hyperparameters=replace(recipe.hyperparameters, hidden=hidden))
        for hidden in widths
    ]
    fitted = fit_into(sizes, workers, [seconds], n_maps)
    return {width: recipe for width, [recipe] in zip(widths, fitted, strict=True)}


def search(
    here: Here, recipe: Recipe, seed: int, *, sizes: Mapping[int, Recipe], n_trials: int
) -> Found:
    """Train networks with drawn hyperparameters, and test the best.

    Parameters
    ----------
    here : Here
        Data and barrier of this process.
    recipe : Recipe
        Recipe with the search space and its sampler.
    seed : int
        Seed of the study. With the number of a trial it seeds the training, as in `tune`.
    sizes : mapping of int to Recipe
        Recipe of each width, from `fit_sizes`.
    n_trials : int
        Number of trials.

    Returns
    -------
    found : Found
        All trials and the results of the best.

    Raises
    ------
    NonFiniteLoss
        If a loss is not finite. `tune` continues with the next trial, but here each must use its
        time.
    """
    with TemporaryDirectory(prefix="multifield-search-") as folder:
        study = open_study(Path(folder) / "study.db", replace(recipe.tuning, seed=seed))
        trials = []
        for number in range(n_trials):
            drawn = study.ask()
            hyperparameters = suggest(drawn, recipe.tuning.search_space)
            fitted = replace(sizes[hyperparameters.hidden], hyperparameters=hyperparameters)
            network, clock = learn(here, fitted, derive_seed(seed, number, "training"))
            study.tell(drawn, network.best_valid_loss)
            trials.append(Trial(fitted, network, clock.cost))
    chosen = min(range(n_trials), key=lambda number: trials[number].network.best_valid_loss)
    seconds = sum(trial.seconds for trial in trials)
    best = let_infer(here, trials[chosen].recipe, trials[chosen].network, seconds)
    return Found(trials, chosen, best)
