import numpy as np
import pytest

from multifield.config.evaluation import BootstrapConfig
from multifield.evaluation import Results, simulation_of_rows
from multifield.evaluation.bootstrap import Resamples

CONFIG = BootstrapConfig(n_resamples=200, level=0.95, seed=3)


def repeated(results, n):
    return Results(
        *(np.tile(table, (n, 1)) for table in (results.theta, results.mean, results.std)),
        results.inferred,
    )


def test_rows_of_all_orientations_belong_to_their_simulation(make_results):
    results = repeated(make_results(45, n_simulations=3), 8)
    expected = [simulation for _ in range(8) for simulation in (0, 1, 2) for _ in range(15)]
    np.testing.assert_array_equal(simulation_of_rows(results, 8), expected)


def test_simulations_with_equal_parameters_stay_apart(make_results):
    results = make_results(45, n_simulations=1)  # as in CV
    np.testing.assert_array_equal(simulation_of_rows(results, 1), np.repeat([0, 1, 2], 15))


@pytest.mark.parametrize(("n_rows", "n_orientations"), [(16, 1), (15, 2), (30, 0)])
def test_rows_must_be_whole_simulations(make_results, n_rows, n_orientations):
    with pytest.raises(ValueError, match=f"Expected 15 maps per simulation .* got {n_rows}"):
        simulation_of_rows(make_results(n_rows), n_orientations)


def test_another_order_is_refused(make_results):
    results = make_results(30, n_simulations=2)
    swapped = np.r_[1:30, 0]
    other = Results(results.theta[swapped], results.mean, results.std)
    with pytest.raises(ValueError, match=r"ordered \(orientation, simulation, map\)"):
        simulation_of_rows(other, 1)


def test_a_resample_has_as_many_simulations_as_there_are():
    resamples = Resamples(np.repeat(np.arange(7), 15), CONFIG)
    assert resamples.counts.shape == (200, 7)
    assert (resamples.counts.sum(axis=1) == 7).all()


def test_a_resample_takes_all_rows_of_its_simulations():
    simulation = np.array([0, 1, 1, 2, 0, 2, 2])
    resamples = Resamples(simulation, CONFIG)
    values = np.arange(7.0)
    drawn = [np.repeat(np.arange(3), count) for count in resamples.counts]
    by_hand = [sum(values[simulation == s].sum() for s in draw) for draw in drawn]
    np.testing.assert_array_equal(resamples.totals(values), by_hand)


def test_the_seed_decides():
    index = np.arange(5)
    again, other = Resamples(index, CONFIG), BootstrapConfig(n_resamples=200, level=0.95, seed=4)
    np.testing.assert_array_equal(Resamples(index, CONFIG).counts, again.counts)
    assert (Resamples(index, other).counts != again.counts).any()


@pytest.mark.parametrize("index", [[0, 2], [1, 2], [-1, 0]])
def test_an_index_with_gaps_is_refused(index):
    with pytest.raises(ValueError, match="Expected every number from 0 on"):
        Resamples(np.array(index), CONFIG)


@pytest.mark.parametrize(("maps", "expected"), [(1, range(30)), (3, np.arange(30) // 3)])
def test_simulations_may_have_other_numbers_of_maps(make_results, maps, expected):
    results = make_results(30, n_simulations=30 // maps)
    np.testing.assert_array_equal(simulation_of_rows(results, 1, maps), expected)


def test_no_map_per_simulation_is_refused(make_results):
    with pytest.raises(ValueError, match="Expected 0 maps per simulation"):
        simulation_of_rows(make_results(30), 1, 0)
