from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.recipes.cost import Clock, Cost
from benchmarks.recipes.maps import get_mock, load
from benchmarks.recipes.recipe import read_recipe
from benchmarks.recipes.training import Here, time_epochs
from multifield.maps import Split
from multifield.mock import MockConfig
from multifield.models import SummaryStatistics
from multifield.training import EpochLosses

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
        ValueError, match=r"maps\.npz: expected maps of .*Mgas.*got those of .*Mtot"
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
    described: list[int] = []
    plain = SummaryStatistics.features

    def count(network: SummaryStatistics, x: torch.Tensor) -> torch.Tensor:
        described.append(len(x))
        return plain(network, x)

    monkeypatch.setattr(SummaryStatistics, "features", count)
    recipe = read_recipe("multifield", 2, "cpu", "auto")
    here = Here(load(get_mock("MockTNG", ("Mtot",), CONFIG, SPLIT, None), recipe.training), None)
    totals = []
    for seed in (1, 2):
        time_epochs(here, recipe, seed)
        totals.append(sum(described))
    n_maps = sum(
        len(each) for each in (here.data.timed.train, here.data.timed.valid, here.data.timed.test)
    )
    assert totals == [n_maps, 2 * n_maps]
