"""Measure how accurate the recipes of ``conf/`` are at the same cost, on mock suites.

Run ``python -m benchmarks.recipes --suite MockGaussian`` in the repository; ``--quick`` takes seconds and
says nothing of accuracy. All networks of a run see the same simulations and the same split, and train for the
same processor time on one thread: an epoch of each is timed, validation included, and as many are run as fit
into ``--seconds``. ``--switch`` adds networks of the recommended recipe with one setting switched back to
the published value, which is what that setting is worth. Every error is of simulations that were not fitted
to, in eight orientations that are averaged; chi2 is given as inferred, and after the factors that validation
maps give.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from kedro.config import OmegaConfigLoader
from pydantic import TypeAdapter

from benchmarks.measure import markdown_table, say
from multifield import camels, settings
from multifield.evaluation import (
    Results,
    average_networks,
    average_orientations,
    fit_sigma_factors,
    predict,
    recalibrate,
    score_results,
)
from multifield.maps import (
    MapLoader,
    Normalization,
    Split,
    SplitLoaders,
    log_transform,
    maps_of,
    split_simulations,
)
from multifield.mock import MockConfig, make_suite
from multifield.mock.gaussian import SUITE as GAUSSIAN
from multifield.mock.gaussian_likelihood import cramer_rao_bound, summarize
from multifield.mock.gaussian_posterior import posterior
from multifield.models import ARCHITECTURES
from multifield.training import Hyperparameters, TrainingConfig, train_network

CONF = Path(__file__).parents[1] / "conf"
N_ORIENTATIONS = 8
HERE = {
    "device": "cpu",
    "n_threads": 1,
    "loader_threads": 1,
    "prefetch": 0,  # all work on one thread, whose time is the cost
    "checkpoint_every": 0,
    "eval_orientations": 1,  # to choose the epoch; all are averaged in the end, when the clock has stopped
}
N_WATCHED = 2  # test simulations that a training shows losses of, which nothing depends on
SWITCHES = {
    "architecture": ("architecture",),
    "loss": ("loss",),
    "schedule": ("schedule",),
    "averaging": ("weight_averaging",),
    "gradient": ("max_gradient_norm",),
    "betas": ("betas",),
    "shifts": ("shifts",),
}


@dataclass(frozen=True)
class Recipe:
    """How a network is trained."""

    name: str
    training: TrainingConfig
    hyperparameters: Hyperparameters


@dataclass(frozen=True)
class Suite:
    """Mock simulations, split; `exact` are the posterior's moments of the test maps, where they are known."""

    name: str
    data: SplitLoaders
    timed: SplitLoaders  # the same with few test maps, which are no part of a training's cost
    exact: Results | None


@dataclass(frozen=True)
class Trained:
    """What one network inferred."""

    test: Results  # of eight orientations, averaged
    single: Results  # of one orientation
    valid: Results  # of eight, averaged
    seconds: float  # of processor time to train it


# ---- recipes ----


def read_recipe(name: str, epochs: int, **runtime: Any) -> Recipe:
    """Read a recipe as a run in environment mock gets it."""
    arguments = {k: v for k, v in settings.CONFIG_LOADER_ARGS.items() if k != "default_run_env"}
    chosen = {"recipe": name, "epochs": epochs} | runtime
    loader = OmegaConfigLoader(str(CONF), env="mock", runtime_params=chosen, **arguments)
    groups = loader["parameters"]
    training = TypeAdapter(TrainingConfig).validate_python(groups["training"] | HERE)
    hyperparameters = TypeAdapter(Hyperparameters).validate_python(groups["hyperparameters"])
    return Recipe(name, training, hyperparameters)


def switch(recipe: Recipe, published: Recipe, what: str) -> Recipe:
    """Switch one setting of a recipe to the published value; hyperparameters go with the architecture."""
    changes = {name: getattr(published.training, name) for name in SWITCHES[what]}
    hyperparameters = (
        published.hyperparameters if what == "architecture" else recipe.hyperparameters
    )
    value = next(iter(changes.values()))
    name = f"{recipe.name}, {what} as published ({value})"
    return Recipe(name, replace(recipe.training, **changes), hyperparameters)


# ---- maps ----


def make_data(
    suite: str, fields: tuple[str, ...], config: MockConfig, split: Split, batch_size: int
) -> Suite:
    """Simulate, take logarithms, split; the truth about Gaussian fields comes along."""
    theta, blocks = make_suite(suite, fields, config)
    simulations = list(blocks)
    log_maps = [
        log_transform(np.concatenate([maps[field] for maps in simulations]), field)
        for field in fields
    ]
    training = maps_of(split.train)
    normalization = Normalization(
        over="training",
        fields=fields,
        mean=tuple(float(maps[training].mean(dtype=np.float64)) for maps in log_maps),
        std=tuple(float(maps[training].std(dtype=np.float64)) for maps in log_maps),
    )
    inferred = camels.find_suite(suite).inferred_columns

    def load(part: tuple[int, ...]) -> MapLoader:
        return MapLoader(
            log_maps,
            theta,
            part,
            normalization,
            batch_size=batch_size,
            inferred=inferred,
            n_threads=1,
            prefetch=0,
        )

    data = SplitLoaders(
        train=load(split.train),
        valid=load(split.valid),
        test=load(split.test),
        channels=len(fields),
        map_size=config.map_size,
        inferred=inferred,
        causes={},
    )
    exact = know_exactly(log_maps[0], theta, split) if suite == GAUSSIAN else None
    timed = replace(data, test=load(split.test[:N_WATCHED]))
    return Suite(suite, data, timed, exact)


def know_exactly(log_maps: np.ndarray, theta: np.ndarray, split: Split) -> Results:
    """Give the posterior of the test maps of Gaussian fields."""
    rows = maps_of(split.test)
    known = posterior(summarize(log_maps[rows]))
    truth = theta[rows // camels.MAPS_PER_SIMULATION]
    mean, std = (np.full_like(truth, np.nan) for _ in range(2))
    mean[:, :2], std[:, :2] = known.mean, known.std
    return Results(truth, mean, std, camels.COSMOLOGY)


# ---- training ----


def train(recipe: Recipe, suite: Suite, seed: int) -> Trained:
    """Train a network, and let it infer."""
    data = suite.data
    start = time.process_time()
    trained = train_network(suite.timed, recipe.hyperparameters, recipe.training, seed=seed)
    seconds = time.process_time() - start
    network = ARCHITECTURES[recipe.training.architecture](
        recipe.hyperparameters.hidden, 0.0, data.channels, data.map_size
    )
    network.load_state_dict(trained.state)
    infer = partial(predict, network, device="cpu")
    valid, test = (
        average_orientations(infer(maps, range(N_ORIENTATIONS)), N_ORIENTATIONS)
        for maps in (data.valid, data.test)
    )
    return Trained(test, infer(data.test, [0]), valid, seconds)


def fit_into(recipes: Sequence[Recipe], data: SplitLoaders, seconds: float) -> list[Recipe]:
    """Give recipes as many epochs as fit into so much processor time, two at least.

    An epoch of each is timed in turns and the shorter of two counts: what else the machine does makes a
    second of its processors worth more or less.
    """
    costs = [[time_epoch(recipe, data) for recipe in recipes] for _ in range(2)]
    epochs = [max(2, round(seconds / min(each))) for each in zip(*costs, strict=True)]
    n_maps = len(data.train)
    return [give_epochs(recipe, n, n_maps) for recipe, n in zip(recipes, epochs, strict=True)]


def give_epochs(recipe: Recipe, epochs: int, n_maps: int) -> Recipe:
    """Let a recipe train so long, in whole cycles of a cyclic learning rate, about as long as its own.

    A training that ends where the rate is high is worse: in one seed of three, sigma_8 of MockNbody was
    known half as well.
    """
    training = recipe.training
    n_steps = epochs * -(-n_maps // training.batch_size)
    n_cycles = max(1, round(n_steps / (training.steps_up + training.steps_down)))
    half = n_steps // (2 * n_cycles)
    return replace(
        recipe, training=replace(training, epochs=epochs, steps_up=half, steps_down=half)
    )


def time_epoch(recipe: Recipe, data: SplitLoaders) -> float:
    """Processor time of an epoch, validation included, in seconds."""
    start = time.process_time()
    one = replace(recipe.training, epochs=1)
    train_network(data, recipe.hyperparameters, one, seed=0)
    return time.process_time() - start


# ---- tables ----


def scores(results: Results, metric: str) -> np.ndarray:
    """One metric of every parameter inferred."""
    of_metric = score_results(results)[metric]
    return np.array([of_metric[name] for name in results.inferred], np.float64)


def with_error(values: Sequence[np.ndarray], digits: str) -> list[str]:
    """Mean over seeds, and its standard error where there are several."""
    mean = np.mean(values, axis=0)
    if len(values) == 1:
        return [f"{value:{digits}}" for value in mean]
    error = np.std(values, axis=0, ddof=1) / len(values) ** 0.5
    return [f"{value:{digits}} +- {e:{digits}}" for value, e in zip(mean, error, strict=True)]


def chi2_recalibrated(network: Trained) -> np.ndarray:
    """Chi2 of the test maps, sigma multiplied by the factors of validation maps."""
    return scores(recalibrate(network.test, fit_sigma_factors(network.valid)), "chi2")


COLUMNS: dict[str, tuple[Callable[[Trained], np.ndarray], str]] = {
    "RMSE": (lambda network: scores(network.test, "RMSE"), ".5f"),
    "RMSE, one orientation": (lambda network: scores(network.single, "RMSE"), ".5f"),
    "epsilon [%]": (lambda network: 100 * scores(network.test, "epsilon"), ".3f"),
    "chi2": (lambda network: scores(network.test, "chi2"), ".2f"),
    "chi2 recalibrated": (chi2_recalibrated, ".2f"),
}
HEADER = ("recipe", "epochs", "cost [s]", "parameter", *COLUMNS)


def rows_of(name: str, epochs: str, networks: Sequence[Trained]) -> list[tuple[str, ...]]:
    """Make a row a parameter."""
    cells = [with_error([get(n) for n in networks], digits) for get, digits in COLUMNS.values()]
    seconds = f"{np.mean([network.seconds for network in networks]):.0f}"
    parameters = networks[0].test.inferred
    return [
        (name, epochs, seconds, parameter, *values)
        for parameter, *values in zip(parameters, *cells, strict=True)
    ]


def ensemble(networks: Sequence[Trained]) -> Trained:
    """All seeds' networks together; it costs as much as all of them."""
    return Trained(
        average_networks([network.test for network in networks]),
        average_networks([network.single for network in networks]),
        average_networks([network.valid for network in networks]),
        sum(network.seconds for network in networks),
    )


def rows_of_truth(suite: Suite) -> list[tuple[str, ...]]:
    """Make rows of what can be known of Gaussian fields at best."""
    if suite.exact is None:
        return []
    bound = cramer_rao_bound(suite.data.map_size)
    rmse, chi2 = scores(suite.exact, "RMSE"), scores(suite.exact, "chi2")
    epsilon = 100 * scores(suite.exact, "epsilon")
    blank = ("", "", "")
    rows: list[tuple[str, ...]] = []
    for k, name in enumerate(camels.COSMOLOGY):
        known = (f"{rmse[k]:.5f}", "", f"{epsilon[k]:.3f}", f"{chi2[k]:.2f}", "")
        rows.append(("exact posterior", "", "", name, *known))
        rows.append(("Cramer-Rao bound", "", "", name, f"{bound[k]:.5f}", *blank, ""))
    return rows


def measure(suite: Suite, recipes: Sequence[Recipe], seconds: float, n_seeds: int) -> None:
    """Train every recipe with every seed; say what was found as soon as it is."""
    rows = rows_of_truth(suite)
    for recipe in fit_into(recipes, suite.timed, seconds):
        epochs = str(recipe.training.epochs)
        networks = []
        for seed in range(1, n_seeds + 1):
            networks.append(train(recipe, suite, seed))
            say(
                "",
                *markdown_table(
                    HEADER, rows_of(f"{recipe.name}, seed {seed}", epochs, networks[-1:])
                ),
            )
        rows += rows_of(recipe.name, epochs, networks)
        if n_seeds > 1:
            rows += rows_of(f"{recipe.name}, {n_seeds} networks", epochs, [ensemble(networks)])
    say("", f"### {suite.name}", "", *markdown_table(HEADER, rows))


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--suite", default=GAUSSIAN)
    parser.add_argument("--field", default="Mtot", help="several are joined with _")
    parser.add_argument("--map-size", type=int, default=64, help="[pixels]")
    parser.add_argument("--lattice", type=int, default=80, help="mass elements a side")
    parser.add_argument("--simulations", type=int, nargs=3, default=(340, 120, 200))
    parser.add_argument("--seconds", type=float, default=120, help="of processor time a network")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--recipes", nargs="*", default=["published", "multifield"])
    parser.add_argument("--switch", nargs="*", default=[], choices=list(SWITCHES))
    parser.add_argument("--quick", action="store_true")
    return parser.parse_args(arguments)


def main() -> None:
    """Measure what the command line asks for."""
    asked = parse_arguments()
    if asked.quick:
        asked.map_size, asked.lattice, asked.simulations = 16, 16, (6, 2, 2)
        asked.seconds, asked.seeds, asked.switch = 0.0, 1, ["loss"]
    n_train, n_valid, n_test = asked.simulations
    n = n_train + n_valid + n_test
    published, ours = (read_recipe(name, 1) for name in ("published", "multifield"))
    recipes = [recipe for recipe in (published, ours) if recipe.name in asked.recipes]
    recipes += [switch(ours, published, what) for what in asked.switch]
    config = MockConfig(
        n_simulations=n,
        map_size=asked.map_size,
        lattice=asked.lattice,
        refine=1,
        seed=1,
        n_threads=1,
    )
    split = split_simulations(n, 1, n_valid=n_valid, n_test=n_test)
    fields = camels.parse_fields(asked.field, asked.suite)
    suite = make_data(asked.suite, fields, config, split, published.training.batch_size)
    measure(suite, recipes, asked.seconds, asked.seeds)


if __name__ == "__main__":
    main()
