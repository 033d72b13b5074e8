"""A search among the hyperparameters of a recipe, as `tune` makes it, each trial in the same time."""

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
    """A network of hyperparameters that were drawn."""

    recipe: Recipe
    network: TrainedNetwork
    seconds: float  # that it cost to train it


@dataclass(frozen=True)
class Found:
    """What a search found."""

    trials: Sequence[Trial]
    chosen: int  # the number of the best by its validation loss, the first of equals
    best: Trained  # what that one inferred; its cost is that of all trials


def fit_sizes(
    recipe: Recipe, workers: Workers, seconds: float, n_maps: int
) -> Mapping[int, Recipe]:
    """Give the recipe as many epochs as fit into the time of a trial, for each width that may be drawn.

    What else is drawn does not change what a step costs.
    """
    allowed = recipe.tuning.search_space.hidden
    widths = range(allowed.low, allowed.high + 1)
    sizes = [
        replace(recipe, hyperparameters=replace(recipe.hyperparameters, hidden=hidden))
        for hidden in widths
    ]
    return dict(zip(widths, fit_into(sizes, workers, seconds, n_maps), strict=True))


def search(
    here: Here, recipe: Recipe, seed: int, *, sizes: Mapping[int, Recipe], n_trials: int
) -> Found:
    """Train networks whose hyperparameters are drawn, and let the best infer.

    Parameters
    ----------
    here : Here
    recipe : Recipe
        Says from where they are drawn, and how.
    seed : int
        Of the study: of what is drawn, and with the number of a trial of its training, as in `tune`.
    sizes : mapping of int to Recipe
        From `fit_sizes`.
    n_trials : int

    Raises
    ------
    NonFiniteLoss
        If that of a trial is not finite; `tune` goes on to the next, but here each is to have its time.
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
