import numpy as np
import pytest

from multifield.maps.splits import maps_of, split_simulations


def test_published_split():
    split = split_simulations(1000)  # the benchmark's: seed 1, 900, 50 and 50
    assert split.train[:5] == (507, 818, 452, 368, 242)
    assert split.valid[:5] == (418, 288, 648, 166, 595)
    assert split.test[:5] == (264, 209, 316, 896, 513)
    assert (len(split.train), len(split.valid), len(split.test)) == (900, 50, 50)


@pytest.mark.parametrize("n", [20, 33, 1000])
def test_parts_are_disjoint_and_whole(n):
    split = split_simulations(n, 7, n_valid=3, n_test=4)
    everyone = [*split.train, *split.valid, *split.test]
    assert sorted(everyone) == list(range(n))
    assert (len(split.valid), len(split.test)) == (3, 4)
    assert split.n_simulations == n


def test_siblings_stay_together():
    split = split_simulations(40, 3)
    parts = [set((maps_of(part) // 15).tolist()) for part in (split.train, split.valid, split.test)]
    assert parts == [set(split.train), set(split.valid), set(split.test)]


def test_maps_follow_the_order_of_the_simulations():
    np.testing.assert_array_equal(maps_of((2, 0)), [*range(30, 45), *range(15)])


def test_nothing_left_to_train_on():
    with pytest.raises(ValueError, match="got n_train 0, n_valid 5, n_test 5"):
        split_simulations(10, n_valid=5, n_test=5)


def test_does_not_touch_the_global_generator():
    np.random.seed(5)  # noqa: NPY002
    expected = np.random.RandomState(5).rand()
    split_simulations(100)
    assert np.random.rand() == expected  # noqa: NPY002
