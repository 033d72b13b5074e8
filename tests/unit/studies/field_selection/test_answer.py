"""The smallest sets, from the information in each set."""

from io import StringIO

import numpy as np
import pytest
from pydantic import TypeAdapter
from rich.console import Console

from multifield.config.evaluation import BootstrapConfig
from multifield.core.console import print_table
from multifield.data.field_sets import FieldSet
from multifield.evaluation.information import Nats
from multifield.studies.field_selection import (
    FieldScores,
    FieldSelection,
    ScoredSet,
    SetInformation,
    compare_sets,
    find_smallest,
    list_sets,
    name_smallest,
    selection_table,
)

BOOTSTRAP = BootstrapConfig(n_resamples=500, level=0.95, seed=1)
PARAMETERS = ("Omega_m", "sigma_8", "A_SN1")
N_SIMULATIONS = 12
ALL = ("Mgas", "T", "HI")


Information = dict[str, Nats]


def information(*averages: float, noise: float = 0.0, seed: int = 0) -> Information:
    """Make the information of each map [nats] from an average per parameter plus a term per
    simulation; it adds up over parameters."""
    rng = np.random.default_rng(seed)
    shared = np.repeat(rng.normal(size=(N_SIMULATIONS, 3)), 15, axis=0)
    nats = np.array(averages) + noise * (shared - shared.mean(axis=0))
    return {"cosmology": nats[:, :2].sum(axis=1), "all": nats.sum(axis=1)}


def alike(found: dict[FieldSet, Information]) -> dict[FieldSet, SetInformation]:
    """Use the same information for validation and test maps."""
    return {fields: SetInformation(each, each) for fields, each in found.items()}


def scores(found: dict[FieldSet, Information]) -> FieldScores:
    sets = tuple(
        ScoredSet(
            fields=fields,
            information={goal: float(nats.mean()) for goal, nats in each.items()},
        )
        for fields, each in found.items()
    )
    return FieldScores(PARAMETERS, sets)


def select(found: dict[FieldSet, Information], *fractions: float) -> FieldSelection:
    measured = compare_sets(alike(found), BOOTSTRAP)
    return find_smallest(measured, fractions, "MockTNG", BOOTSTRAP, scores(found), N_SIMULATIONS)


@pytest.fixture
def found() -> dict[FieldSet, Information]:
    return {
        ("Mgas",): information(1.9, 0.1, 0.0),
        ("T",): information(0.2, 0.2, 2.0),
        ("Mgas", "T"): information(1.9, 2.0, 1.0),
        ("Mgas", "HI"): information(1.9, 1.8, 0.5),
        ALL: information(2.0, 2.0, 2.0),
    }


def test_the_smallest_set_that_holds_enough_is_found(found: dict[FieldSet, Information]) -> None:
    names = name_smallest(select(found, 0.9, 0.95, 0.98))
    # cosmology: 4.0 nats in all, 3.9 in Mgas and T, 3.7 in Mgas and HI
    assert names["cosmology", 0.9] == "Mgas_T"
    assert names["cosmology", 0.95] == "Mgas_T"
    assert names["cosmology", 0.98] == "Mgas_T_HI"
    # all parameters: 6.0 nats in all, 4.9 in Mgas and T
    assert names["all", 0.9] == "Mgas_T_HI"


def test_a_fraction_is_resampled_together_with_all_fields() -> None:
    """Both sets vary alike between simulations, so their ratio is exact up to rounding."""
    found = {
        ("Mgas",): information(1.0, 1.0, 1.0, noise=0.4),
        ALL: information(2.0, 2.0, 2.0, noise=0.8),
    }
    half = next(each for each in compare_sets(alike(found), BOOTSTRAP) if each.fields == ("Mgas",))
    assert half.fraction is not None
    assert half.information.error > 0.1
    assert (half.fraction.low, half.fraction.high) == pytest.approx((0.5, 0.5), rel=1e-12)


def test_errors_are_those_of_simulations_and_not_of_maps() -> None:
    found = {ALL: information(2.0, 0.0, 0.0, noise=0.4)}
    error = compare_sets(alike(found), BOOTSTRAP)[0].information.error
    of_simulations = found[ALL]["cosmology"][::15].std() / np.sqrt(N_SIMULATIONS)
    # 500 resamples give a quantile to a few percent of the width
    assert error == pytest.approx(of_simulations, rel=0.2)


def test_maps_of_a_simulation_are_resampled_together() -> None:
    """30 maps of a simulation count as one, not as two simulations of 15."""
    of_simulations = information(2.0, 0.0, 0.0, noise=0.4)["cosmology"][::15]
    nats = np.repeat(of_simulations, 30)
    found = {ALL: {"cosmology": nats, "all": nats}}
    error = compare_sets(alike(found), BOOTSTRAP, 30)[0].information.error
    assert error == pytest.approx(of_simulations.std() / np.sqrt(N_SIMULATIONS), rel=0.2)


def test_share_is_that_of_resamples_with_enough() -> None:
    """A set with 90% on average and independent noise keeps 90% in half the resamples."""
    found = {
        ("Mgas",): information(0.9, 0.9, 0.0, noise=0.1, seed=1),
        ALL: information(1.0, 1.0, 0.0),
    }
    smallest = select(found, 0.899).smallest[0]
    assert smallest.fields == ("Mgas",)
    assert smallest.share is not None
    assert 0.3 < smallest.share < 0.8


def test_fields_that_say_nothing_have_no_smallest_set(
    caplog: pytest.LogCaptureFixture,
) -> None:
    found = {("Mgas",): information(-0.2, 0.0, 0.0), ALL: information(-0.1, 0.0, 0.0)}
    selection = select(found, 0.9)
    assert name_smallest(selection) == {("cosmology", 0.9): None, ("all", 0.9): None}
    assert "cosmology: all fields together have no information" in caplog.text


def test_fields_that_are_a_hindrance_in_training_take_nothing_from_what_all_hold() -> None:
    """The network of all fields has less information on validation maps than that of two fields."""
    found = {
        ("Mgas",): information(1.0, 0.0, 0.0),
        ("Mgas", "T"): information(2.0, 0.0, 0.0),
        ALL: information(1.0, 0.0, 0.0),
    }
    selection = select(found, 0.95)
    assert selection.best_fields["cosmology"] == ("Mgas", "T")
    assert selection.information_in_all["cosmology"].value == pytest.approx(2.0, rel=1e-12)
    assert name_smallest(selection)["cosmology", 0.95] == "Mgas_T"


def test_what_all_fields_hold_is_chosen_on_validation_maps() -> None:
    low, high = information(1.0, 0.0, 0.0), information(2.0, 0.0, 0.0)
    found = {("Mgas",): SetInformation(low, high), ALL: SetInformation(high, low)}
    measured = [each for each in compare_sets(found, BOOTSTRAP) if each.goal == "cosmology"]
    assert [each.fields for each in measured if each.is_best] == [ALL]


def test_one_simulation_cannot_be_resampled() -> None:
    one = {"cosmology": np.ones(15)}
    with pytest.raises(ValueError, match="Expected 15 maps of each of two or more simulations"):
        compare_sets({ALL: SetInformation(one, one)}, BOOTSTRAP)


def test_the_table_has_every_set_of_both_networks(found: dict[FieldSet, Information]) -> None:
    records = list_sets(scores(found), compare_sets(alike(found), BOOTSTRAP))
    assert len(records) == 2 * 2 * len(found)  # two networks and two goals
    row = next(
        record
        for record in records
        if (record["by"], record["goal"], record["fields"]) == ("trained", "all", "Mgas_T")
    )
    assert row["n_fields"] == 2
    assert row["information"] == pytest.approx(4.9, rel=1e-12)
    assert row["fraction"] == pytest.approx(4.9 / 6, rel=1e-12)


def test_what_was_found_survives_its_file(found: dict[FieldSet, Information]) -> None:
    selection, adapter = select(found, 0.9), TypeAdapter(FieldSelection)
    assert adapter.validate_json(adapter.dump_json(selection)) == selection


def test_the_last_words_name_the_sets_and_say_mock(found: dict[FieldSet, Information]) -> None:
    out = StringIO()
    print_table(selection_table(select(found, 0.9)), ("next",), Console(file=out, width=120))
    assert "mock suite MockTNG" in out.getvalue()
    assert "Mgas + T + HI" in out.getvalue()
    assert "3.90" in out.getvalue()  # [nats] cosmology, in Mgas and T
