"""Command line of ``benchmarks.recipes``."""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

from omegaconf import OmegaConf

import benchmarks.recipes
from benchmarks.measure import markdown_table, say
from benchmarks.recipes.maps import Mock, get_mock
from benchmarks.recipes.points import Run, add_points
from benchmarks.recipes.recipe import SWITCHES, Recipe, read_recipe, switch
from benchmarks.recipes.search import fit_sizes, search
from benchmarks.recipes.tables import (
    HEADER,
    TRIALS_HEADER,
    ensemble,
    rows_of,
    rows_of_trials,
    rows_of_truth,
)
from benchmarks.recipes.training import Trained, Workers, fit_into, train
from multifield import camels
from multifield.config.ingest import MockConfig
from multifield.maps import maps_of, split_simulations
from multifield.mock.gaussian import SUITE as GAUSSIAN

RECIPES = ("published", "multifield", "statistics")


def measure(
    mock: Mock,
    recipes: Sequence[Recipe],
    budgets: Sequence[float],
    n_seeds: int,
    jobs: int,
    points: Path | None,
) -> None:
    """Train every recipe in every budget with every seed; print each result at once."""
    rows = rows_of_truth(mock)
    n_maps = len(maps_of(mock.split.train))
    with Workers(jobs, mock, recipes[0].training) as workers:
        for fitted in fit_into(recipes, workers, budgets, n_maps):
            for recipe in fitted:
                networks = train_seeds(mock.suite, recipe, workers, n_seeds, points)
                epochs = str(recipe.training.epochs)
                rows += rows_of(recipe.name, epochs, networks)
                if n_seeds > 1:
                    name = f"{recipe.name}, {n_seeds} networks"
                    rows += rows_of(name, epochs, [ensemble(networks)])
    say("", f"### {mock.suite}", "", *markdown_table(HEADER, rows))


def measure_searches(
    mock: Mock, recipes: Sequence[Recipe], seconds: float, n_seeds: int, jobs: int, n_trials: int
) -> None:
    """Search with every recipe and every seed; print each result at once."""
    rows = rows_of_truth(mock)
    n_maps = len(maps_of(mock.split.train))
    with Workers(jobs, mock, recipes[0].training) as workers:
        for recipe in recipes:
            sizes = fit_sizes(recipe, workers, seconds, n_maps)
            name = f"{recipe.name}, best of {n_trials} trials"
            best = []
            seeds = range(1, n_seeds + 1)
            work = partial(search, sizes=sizes, n_trials=n_trials)
            for seed, found in zip(seeds, workers.run(work, recipe, seeds), strict=True):
                best.append(found.best)
                say("", f"{recipe.name}, seed {seed}", "")
                say(*markdown_table(TRIALS_HEADER, rows_of_trials(found)), "")
                epochs = str(found.trials[found.chosen].recipe.training.epochs)
                say(*markdown_table(HEADER, rows_of(f"{name}, seed {seed}", epochs, [found.best])))
            rows += rows_of(name, "", best)
    say("", f"### {mock.suite}", "", *markdown_table(HEADER, rows))


def train_seeds(
    suite: str, recipe: Recipe, workers: Workers, n_seeds: int, points: Path | None
) -> list[Trained]:
    """Train a recipe with the seeds 1, 2, ..."""
    networks = []
    seeds = range(1, n_seeds + 1)
    for seed, network in zip(seeds, workers.run(train, recipe, seeds), strict=True):
        networks.append(network)
        epochs = recipe.training.epochs
        say(
            "",
            *markdown_table(HEADER, rows_of(f"{recipe.name}, seed {seed}", str(epochs), [network])),
        )
        if points is not None:
            add_points(points, Run(suite, recipe.name, seed, epochs), network)
    return networks


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.recipes", description=benchmarks.recipes.__doc__
    )
    parser.add_argument("--suite", default=GAUSSIAN)
    parser.add_argument("--field", default="Mtot", help="fields, joined with _")
    parser.add_argument("--map-size", type=int, default=64, help="[pixels]")
    parser.add_argument("--lattice", type=int, default=64, help="particles per side")
    parser.add_argument("--simulations", type=int, nargs=3, default=(340, 120, 200))
    parser.add_argument(
        "--maps", type=Path, metavar="FILE.npz", help="file of maps; created if missing"
    )
    parser.add_argument(
        "--seconds",
        type=float,
        nargs="+",
        default=[120.0],
        help="processor time per network; on cuda wall-clock time",
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--trials",
        type=int,
        default=0,
        help="trials per search, each in --seconds; seeds then apply to searches. 0: no search",
    )
    parser.add_argument("--recipes", nargs="*", default=RECIPES, choices=RECIPES)
    parser.add_argument("--switch", nargs="*", default=[], choices=list(SWITCHES))
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument(
        "--compile", default="auto", choices=("auto", "never"), help="not used on a cpu"
    )
    parser.add_argument(
        "--params",
        nargs="*",
        default=[],
        metavar="NAME=VALUE",
        help="settings of all recipes, such as training.precision=bfloat16",
    )
    parser.add_argument(
        "--points", type=Path, metavar="FILE.csv", help="file that each result is added to"
    )
    parser.add_argument("--jobs", type=int, default=1, help="seeds trained at the same time")
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args(arguments)
    if asked.quick:
        asked.map_size, asked.lattice, asked.simulations = 16, 16, (6, 2, 2)
        asked.seconds, asked.seeds, asked.switch = [0.0], asked.jobs, ["loss"]
    if asked.jobs < 1 or asked.seeds % asked.jobs:
        parser.error(f"--jobs: Expected a divisor of {asked.seeds} seeds, got {asked.jobs}.")
    if asked.trials and len(asked.seconds) > 1:
        parser.error(f"--seconds: Expected one time with --trials, got {asked.seconds}.")
    if asked.trials < 0:
        parser.error(f"--trials: Expected >= 0, got {asked.trials}.")
    return asked


def choose_recipes(asked: argparse.Namespace) -> list[Recipe]:
    """Read the chosen recipes, and add those with a switched setting."""
    params = cast("dict[str, Any]", OmegaConf.to_container(OmegaConf.from_dotlist(asked.params)))
    recipes = {
        name: read_recipe(name, 1, asked.device, asked.compile, **params) for name in RECIPES
    }
    published, ours = recipes["published"], recipes["multifield"]
    chosen = [recipe for name, recipe in recipes.items() if name in asked.recipes]
    return chosen + [switch(ours, published, what) for what in asked.switch]


def make_mock(asked: argparse.Namespace) -> Mock:
    """Make or read the maps, and split them."""
    n_train, n_valid, n_test = asked.simulations
    n = n_train + n_valid + n_test
    config = MockConfig(
        n_simulations=n,
        map_size=asked.map_size,
        lattice=asked.lattice,
        refine=1,
        seed=1,
        n_threads=0,
    )
    split = split_simulations(n, 1, n_valid=n_valid, n_test=n_test)
    fields = camels.parse_fields(asked.field, asked.suite)
    return get_mock(asked.suite, fields, config, split, asked.maps)


def main() -> None:
    """Run the benchmark of the command line."""
    asked = parse_arguments()
    recipes = choose_recipes(asked)
    mock = make_mock(asked)
    if asked.trials:
        [seconds] = asked.seconds
        measure_searches(mock, recipes, seconds, asked.seeds, asked.jobs, asked.trials)
    else:
        measure(mock, recipes, asked.seconds, asked.seeds, asked.jobs, asked.points)


if __name__ == "__main__":
    main()
