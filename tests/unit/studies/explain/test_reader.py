from itertools import chain, combinations

import numpy as np
import pytest
import torch

from multifield import camels
from multifield.models import SummaryStatistics
from multifield.studies.explain.reader import (
    Regression,
    Truth,
    measure_reader,
    measure_sets,
    shapley_values,
)
from multifield.studies.explain.statistics import CROSS, GROUPS, list_columns

N_SIMULATIONS = 100
NAMES = ("Omega_m", "sigma_8")


def toy(noise: float, n_features: int = 3) -> tuple[Truth, Regression]:
    """Statistics of 100 simulations per part: Omega_m and its square with noise, and nothing else."""
    rng = np.random.default_rng(1)
    theta, features = [], []
    for _ in range(3):
        table = rng.uniform((0.1, 0.6), (0.5, 1.0), (N_SIMULATIONS, 2)).repeat(15, axis=0)
        found = rng.normal(0, 1, (len(table), n_features))
        found[:, 0] = table[:, 0] + noise * found[:, 0]
        theta.append(np.column_stack([table, np.ones((len(table), 4))]))
        features.append(found)
    truth = Truth(NAMES, (0, 1), tuple(theta))
    return truth, Regression(features, [truth.targets(0), truth.targets(1)], 2)


def test_the_information_of_a_measurement_with_gaussian_noise():
    """A width of s of the prior range has ln(1 / s) - ln(2 pi e) / 2 nats, away from the edges."""
    noise = 0.004
    truth, regression = toy(noise)
    expected = np.log(0.4 / noise) - 0.5 * np.log(2 * np.pi * np.e)
    _, nats = measure_reader(regression, np.array([True, False, False]), truth)
    # 1,500 maps have a scatter of 0.7 nats: 0.02; edges add about 0.02
    assert nats.mean() == pytest.approx(expected, abs=0.06)


def test_statistics_without_information_have_none():
    truth, regression = toy(0.1)
    _, nats = measure_reader(regression, np.array([False, True, True]), truth)
    assert abs(nats.mean()) < 0.03  # the widths are fitted to 100 simulations


def test_statistics_without_information_take_little_away():
    truth, regression = toy(0.02)
    alone, all_of_them = (
        measure_reader(regression, np.array(chosen), truth)[1].mean()
        for chosen in ([True, False, False], [True, True, True])
    )
    assert all_of_them == pytest.approx(alone, abs=0.02)


def test_few_validation_simulations_do_not_make_a_covariance_singular():
    """Six parameters with an error of a fifth of the prior's scatter, and four validation simulations."""
    rng = np.random.default_rng(1)
    tables = [camels.unscale_theta(rng.random((n, 6))).repeat(15, axis=0) for n in (60, 4, 30)]
    truth = Truth(camels.PARAMETER_NAMES, tuple(range(6)), tuple(tables))
    spread = tables[0].std(axis=0)
    features = [each + 0.2 * spread * rng.normal(size=each.shape) for each in tables]
    regression = Regression(features, [truth.targets(0), truth.targets(1)], 1)
    _, nats = measure_reader(regression, np.ones(6, np.bool_), truth)
    expected = 6 * (np.log(12**0.5 / 0.2) - 0.5 * np.log(2 * np.pi * np.e))
    assert nats.mean() == pytest.approx(expected, abs=1.5)  # the widths are from 60 maps


def test_a_reader_ignores_statistics_that_only_add_noise():
    truth, regression = toy(0.02, n_features=60)
    columns = {
        frozenset(): np.zeros(60, np.bool_),
        frozenset({"signal"}): np.arange(60) == 0,
        frozenset({"noise"}): np.arange(60) > 0,
        frozenset({"signal", "noise"}): np.ones(60, np.bool_),
    }
    nats = measure_sets(regression, columns, truth)
    np.testing.assert_array_equal(nats[frozenset({"signal", "noise"})], nats[frozenset({"signal"})])


def sets(groups):
    return [frozenset(c) for n in range(len(groups) + 1) for c in combinations(groups, n)]


def test_shapley_values_of_a_game_by_hand():
    """Two groups that know the same, and one that knows something else."""
    groups = ("power", "peaks", "mean")
    game = {each: 2.0 * bool(each & {"power", "peaks"}) + ("mean" in each) for each in sets(groups)}
    nats = {each: np.array([value]) for each, value in game.items()}
    shared, after = (shapley_values(nats, groups, first) for first in (None, "power"))
    assert [float(shared[group][0]) for group in groups] == pytest.approx([1, 1, 1])
    assert [float(after[group][0]) for group in groups] == pytest.approx([2, 0, 1])


def test_shapley_values_sum_to_the_whole(rng):
    nats = {each: rng.normal(size=4) for each in sets(GROUPS)}
    nats[frozenset()] = np.zeros(4)
    for first in (None, GROUPS[0]):
        total = sum(shapley_values(nats, GROUPS, first).values())
        np.testing.assert_allclose(total, nats[frozenset(GROUPS)])


@pytest.mark.parametrize("channels", [1, 3])
def test_the_groups_are_all_statistics_of_the_network(channels):
    x = torch.randn(5, channels, 32, 32)
    network = SummaryStatistics(4, 0.0, channels, 32)
    assert len(list_columns(network).groups) == network.features(x).shape[1]


def test_columns_name_their_fields():
    x = torch.randn(5, 3, 32, 32)
    network = SummaryStatistics(1, 0.0, 3, 32)
    columns = list_columns(network)
    assert set(columns.groups) == set(GROUPS)
    whole = network.features(x)
    for chosen in ([1], [0, 2]):
        alone = SummaryStatistics(1, 0.0, len(chosen), 32).features
        of_chosen = torch.from_numpy(columns.of_channels(chosen))
        torch.testing.assert_close(
            whole[:, of_chosen].sort(dim=1).values, alone(x[:, chosen]).sort(dim=1).values
        )
    pairs = {
        each for each, group in zip(columns.channels, columns.groups, strict=True) if group == CROSS
    }
    assert pairs == {(0, 1), (0, 2), (1, 2)}
    assert set(chain.from_iterable(columns.channels)) == {0, 1, 2}
