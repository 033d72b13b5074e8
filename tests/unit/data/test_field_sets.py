"""Sets of fields: all of them, random ones, and the loaders of some."""

from collections import Counter

import numpy as np
import pytest

from multifield.data import LogMaps, Normalization
from multifield.data.field_sets import FieldLoaders, all_sets, choose_normalization, draw_field_sets


def test_all_sets_are_there_once_the_smallest_first():
    sets = all_sets(("Mgas", "T", "HI"))
    assert len(set(sets)) == len(sets) == 2**3 - 1
    assert sets[0] == ("Mgas",)
    assert sets[-1] == ("Mgas", "T", "HI")


def test_every_size_is_met_as_often():
    shown = draw_field_sets(20_000, 4, 1, 0, maps_per_set=1)
    shares = np.bincount(shown.sum(axis=1), minlength=5) / len(shown)
    assert shares[0] == 0  # nothing could be said of a map of which no field is shown
    # a share of 1/4 of 20,000 draws is known to 0.003
    np.testing.assert_allclose(shares[1:], 0.25, atol=0.012)


def test_sets_of_a_size_are_met_as_often():
    shown = draw_field_sets(20_000, 4, 1, 0, maps_per_set=1)
    pairs = Counter(map(tuple, shown[shown.sum(axis=1) == 2]))
    assert len(pairs) == 6
    # 5,000 draws of 1/6 each: 833 +- 26
    assert max(abs(count - 5000 / 6) for count in pairs.values()) < 130


def test_maps_that_follow_each_other_share_a_set():
    shown = draw_field_sets(11, 5, 1, 0, maps_per_set=4)
    for rows in (slice(0, 4), slice(4, 8), slice(8, 11)):
        assert (shown[rows] == shown[rows.start]).all()
    assert len(np.unique(shown, axis=0)) == 3


@pytest.mark.parametrize("changes", [{"seed": 2}, {"epoch": 1}])
def test_draws_depend_on_seed_and_epoch_alone(changes):
    arguments = {"seed": 1, "epoch": 0, "maps_per_set": 2}
    first = draw_field_sets(40, 6, **arguments)
    np.testing.assert_array_equal(draw_field_sets(40, 6, **arguments), first)
    assert not np.array_equal(draw_field_sets(40, 6, **(arguments | changes)), first)


def test_statistics_of_some_fields_are_their_own():
    normalization = Normalization(
        over="all", fields=("Mgas", "T", "HI"), mean=(1.0, 2.0, 3.0), std=(4.0, 5.0, 6.0)
    )
    assert choose_normalization(normalization, ("HI", "Mgas")) == Normalization(
        over="all", fields=("HI", "Mgas"), mean=(3.0, 1.0), std=(6.0, 4.0)
    )


@pytest.mark.parametrize(("fields", "got"), [((), "none"), (("Mgas", "Z"), "Mgas, Z")])
def test_a_set_of_other_fields_is_refused(fields, got):
    maps = {"Mgas": LogMaps(np.zeros((15, 4, 4), np.float32), np.zeros((15, 3)), {})}
    normalization = Normalization(over="all", fields=("Mgas",), mean=(0.0,), std=(1.0,))
    with pytest.raises(ValueError, match=f"fields: Expected some of Mgas, got {got}"):
        FieldLoaders(maps, normalization, {}).load(fields)
