from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks.recipes.cost import Clock, Cost
from benchmarks.recipes.maps import get_mock, load
from benchmarks.recipes.points import Run, add_points, draw
from benchmarks.recipes.recipe import Recipe, read_recipe
from benchmarks.recipes.search import fit_sizes, search
from benchmarks.recipes.training import Here, Workers, time_epochs, train
from multifield.config.ingest import MockConfig
from multifield.maps import Split
from multifield.models import ModelFolder
from multifield.training import EpochLosses
from multifield.tuning import trials_table, tune
from multifield.tuning.sampler import derive_seed
from tests.unit.training.examples import count_described

LOSSES = EpochLosses(0.0, 0.0, 0.0)
CONFIG = MockConfig(n_simulations=3, map_size=16, lattice=16, refine=1, seed=1, n_threads=1)
SPLIT = Split(seed=1, train=(0,), valid=(1,), test=(2,))


def test_maps_are_kept_as_they_were_made(tmp_path: Path) -> None:
    path = tmp_path / "maps.npz"
    made, kept, read = (
        get_mock("MockTNG", ("Mtot", "Mgas"), CONFIG, SPLIT, where) for where in (None, path, path)
    )
    for mock in (kept, read):
        np.testing.assert_array_equal(mock.theta, made.theta)
        assert list(mock.log_maps) == ["Mtot", "Mgas"]
        for field, maps in made.log_maps.items():
            np.testing.assert_array_equal(mock.log_maps[field], maps)


def test_maps_of_another_field_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "maps.npz"
    get_mock("MockTNG", ("Mtot",), CONFIG, SPLIT, path)
    with pytest.raises(
        ValueError, match=r"maps\.npz: Expected maps of .*Mgas.*got those of .*Mtot"
    ):
        get_mock("MockTNG", ("Mgas",), CONFIG, SPLIT, path)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "maps.npz"
    np.savez(path, maps=np.zeros(3))
    with pytest.raises(
        ValueError, match=r"maps\.npz: Expected maps of .*got those of arrays maps\."
    ):
        get_mock("MockTNG", ("Mgas",), CONFIG, SPLIT, path)


def test_the_cost_on_a_gpu_is_that_of_epochs_without_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first epoch ends after 50 s, the others take 3, 2 and 4: 3 each on average."""
    times = iter((0.0, 50.0, 53.0, 55.0, 59.0, 60.0))
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    monkeypatch.setattr("time.perf_counter", lambda: next(times))
    met: list[int] = []
    clock = Clock("cuda", lambda: met.append(1))
    for epoch in range(4):
        clock(epoch, LOSSES)
    clock.stop()
    assert clock.cost == pytest.approx(4 * 3.0)
    assert clock.parts == Cost(0.0, pytest.approx(2.0))
    assert met == [1]


def test_what_is_done_once_leaves_less_time_for_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Statistics take 6 s before epochs of 2 s."""
    times = iter((0.0, 8.0, 10.0, 10.5))
    monkeypatch.setattr("time.process_time", lambda: next(times))
    clock = Clock("cpu", lambda: None)
    for epoch in range(2):
        clock(epoch, LOSSES)
    clock.stop()
    assert clock.cost == pytest.approx(10.5)
    assert clock.parts == Cost(pytest.approx(6.0), pytest.approx(2.0))
    assert clock.parts.epochs(30.0) == 12
    assert clock.parts.epochs(0.0) == 2


def test_each_training_pays_for_its_statistics(monkeypatch: pytest.MonkeyPatch) -> None:
    """The trials of a study share them; here they are a cost of each network."""
    described = count_described(monkeypatch)
    recipe = read_recipe("statistics", 2, "cpu", "auto")
    here = Here(load(get_mock("MockTNG", ("Mtot",), CONFIG, SPLIT, None), recipe.training), None)
    totals = []
    for seed in (1, 2):
        time_epochs(here, recipe, seed)
        totals.append(sum(described))
    n_maps = sum(
        len(each) for each in (here.data.timed.train, here.data.timed.valid, here.data.timed.test)
    )
    assert totals == [n_maps, 2 * n_maps]


def sizes_of(recipe: Recipe) -> dict[int, Recipe]:
    """Give every width the epochs of the recipe."""
    allowed = recipe.tuning.search_space.hidden
    return dict.fromkeys(range(allowed.low, allowed.high + 1), recipe)


def test_a_search_draws_and_trains_what_a_study_does(tmp_path: Path) -> None:
    """Three trials, so that the last is not drawn at random but by what the first two came to."""
    recipe = read_recipe("statistics", 2, "cpu", "never")
    assert recipe.tuning.n_startup_trials < 3
    mock = get_mock("MockTNG", ("Mtot",), CONFIG, SPLIT, None)
    here = Here(load(mock, recipe.training), None)
    found = search(here, recipe, 7, sizes=sizes_of(recipe), n_trials=3)
    study = tune(
        here.data.timed,
        ModelFolder(tmp_path, "MockTNG", "Mtot", "x"),
        replace(recipe.tuning, seed=7, n_trials=3),
        recipe.training,
        fingerprint={},
    )
    for row, trial in zip(trials_table(study), found.trials, strict=True):
        drawn = trial.recipe.hyperparameters
        assert [row[name] for name in ("lr", "wd", "dr", "hidden")] == [
            *(drawn.lr, drawn.wd, drawn.dr, drawn.hidden)
        ]
        assert row["value"] == trial.network.best_valid_loss


def test_the_best_of_a_search_is_tested_and_costs_what_all_trials_do() -> None:
    recipe = read_recipe("statistics", 2, "cpu", "never")
    mock = get_mock("MockTNG", ("Mtot",), CONFIG, SPLIT, None)
    here = Here(load(mock, recipe.training), None)
    found = search(here, recipe, 2, sizes=sizes_of(recipe), n_trials=3)
    losses = [trial.network.best_valid_loss for trial in found.trials]
    assert found.chosen == int(np.argmin(losses))
    assert len(set(losses)) == 3
    alone = train(here, found.trials[found.chosen].recipe, derive_seed(2, found.chosen, "training"))
    np.testing.assert_array_equal(found.best.test.mean, alone.test.mean)
    np.testing.assert_array_equal(found.best.valid.std, alone.valid.std)
    assert found.best.seconds == pytest.approx(sum(trial.seconds for trial in found.trials))


def test_each_width_that_may_be_drawn_has_epochs_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An epoch costs as many seconds as the network is wide."""
    monkeypatch.setattr(
        "benchmarks.recipes.training.time_epochs",
        lambda here, recipe, seed: Cost(0.0, float(recipe.hyperparameters.hidden)),
    )
    recipe = read_recipe("statistics", 1, "cpu", "never")
    mock = get_mock("MockTNG", ("Mtot",), CONFIG, SPLIT, None)
    with Workers(1, mock, recipe.training) as workers:
        sizes = fit_sizes(recipe, workers, 60.0, 15)
    assert {hidden: size.training.epochs for hidden, size in sizes.items()} == {6: 10, 7: 9, 8: 8}
    assert all(size.hyperparameters.hidden == hidden for hidden, size in sizes.items())


def test_results_are_added_to_a_file_and_drawn(tmp_path: Path) -> None:
    recipe = read_recipe("statistics", 1, "cpu", "never")
    mock = get_mock("MockTNG", ("Mtot",), CONFIG, SPLIT, None)
    network = train(Here(load(mock, recipe.training), None), recipe, 1)
    path = tmp_path / "points.csv"
    for seed in (1, 2):
        add_points(path, Run("MockTNG", "statistics", seed, 1), network)
    table = pd.read_csv(path)
    assert table["seed"].tolist() == [1] * 6 + [2] * 6
    assert table["parameter"].tolist() == 2 * list(network.test.inferred)
    assert table["nats"].nunique() == 1
    draw([path], tmp_path / "points.png")
    assert (tmp_path / "points.png").stat().st_size > 0
