"""Which sets are scored, and which are trained."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from multifield.config.studies import SearchConfig, SelectFieldsConfig
from multifield.data.field_sets import FieldSet, all_sets
from multifield.studies.field_selection import (
    ScoredSet,
    choose_goals,
    propose_finalists,
    search_sets,
)
from tests.helpers.projects import load_parameters

FIELDS = ("Mgas", "T", "ne", "P", "HI")
GOALS = {"cosmology": ("Omega_m",)}
# Information that each field adds. ne has a part of the information in Mgas.
WEIGHTS = {"Mgas": 2.0, "T": 1.0, "ne": 1.5, "P": 0.3, "HI": 0.0}


def information(chosen: FieldSet) -> float:
    without_twin = [f for f in chosen if not (f == "ne" and "Mgas" in chosen)]
    return sum(WEIGHTS[field] for field in without_twin)


def score(chosen: FieldSet) -> ScoredSet:
    value = {"cosmology": information(chosen), "all": float("HI" in chosen)}
    return ScoredSet(fields=chosen, information=value)


def counting(seen: list[FieldSet]) -> Callable[[FieldSet], ScoredSet]:
    def look(chosen: FieldSet) -> ScoredSet:
        seen.append(chosen)
        return score(chosen)

    return look


def config(**changes: int) -> SearchConfig:
    return SearchConfig(**({"exhaustive_up_to": 9, "per_size": 1, "margin": 0} | changes))


def test_few_fields_are_searched_whole() -> None:
    found = search_sets(FIELDS, score, GOALS, config())
    assert [each.fields for each in found] == all_sets(FIELDS)


def test_no_set_is_scored_twice() -> None:
    seen: list[FieldSet] = []
    goals = GOALS | {"all": ("Omega_m", "A_SN1")}
    search_sets(FIELDS, counting(seen), goals, config(exhaustive_up_to=2))
    assert len(seen) == len(set(seen))


def test_a_greedy_search_finds_the_best_set_of_each_size_of_independent_fields() -> None:
    found = search_sets(FIELDS, score, GOALS, config(exhaustive_up_to=2))
    for size in range(1, 6):
        best = max(each.information["cosmology"] for each in found if len(each.fields) == size)
        assert best == max(
            information(chosen) for chosen in all_sets(FIELDS) if len(chosen) == size
        )


def test_a_search_downwards_finds_what_one_upwards_misses() -> None:
    """Score two fields that have no information alone and all of it together."""

    def together(chosen: FieldSet) -> ScoredSet:
        value = 5.0 * ({"P", "HI"} <= set(chosen)) + 0.1 * len({"Mgas", "T"} & set(chosen))
        value += 0.3 * ("ne" in chosen)
        return ScoredSet(fields=chosen, information={"cosmology": value})

    found = search_sets(FIELDS, together, GOALS, config(exhaustive_up_to=0))
    pair = next(each for each in found if each.fields == ("P", "HI"))
    assert pair.information["cosmology"] == 5.0


def test_thirteen_fields_take_at_most_181_scores() -> None:
    fields, seen = tuple("ABCDEFGHIJKLM"), []

    def look(chosen: FieldSet) -> ScoredSet:
        seen.append(chosen)
        return ScoredSet(fields=chosen, information={"cosmology": sum(map(ord, chosen)) / 100})

    search_sets(fields, look, GOALS, config())
    assert len(seen) <= 181


def test_finalists_lie_around_the_smallest_set_and_hold_all_fields() -> None:
    scored = [score(chosen) for chosen in all_sets(FIELDS)]
    # all fields: 3.3 nats; 90% are 2.97, which Mgas and T keep
    assert propose_finalists(scored, GOALS, (0.9,), config()) == [("Mgas", "T"), FIELDS]
    wider = propose_finalists(scored, GOALS, (0.9,), config(margin=1, per_size=2))
    assert [len(each) for each in wider] == [1, 1, 2, 2, 3, 3, 5]
    assert wider[:2] == [("Mgas",), ("ne",)]


def test_each_goal_has_finalists_of_its_own() -> None:
    scored = [score(chosen) for chosen in all_sets(FIELDS)]
    goals = {"cosmology": ("Omega_m",), "all": ("A_SN1",)}
    assert ("HI",) in propose_finalists(scored, goals, (0.9,), config())


def test_where_all_fields_say_nothing_they_alone_are_trained() -> None:
    nothing = {"cosmology": -0.1}
    scored = [ScoredSet(fields=chosen, information=nothing) for chosen in all_sets(FIELDS)]
    assert propose_finalists(scored, GOALS, (0.9, 0.95), config()) == [FIELDS]


@pytest.mark.parametrize(
    ("inferred", "goals"),
    [
        (("Omega_m", "sigma_8"), {"cosmology": ("Omega_m", "sigma_8")}),
        (("Omega_m", "A_SN1"), {"cosmology": ("Omega_m",), "all": ("Omega_m", "A_SN1")}),
        (("A_SN1",), {"all": ("A_SN1",)}),
    ],
)
def test_goals_are_the_cosmology_and_all(
    inferred: tuple[str, ...], goals: dict[str, tuple[str, ...]]
) -> None:
    assert choose_goals(inferred) == goals


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fractions": [0.95, 0.9]}, "Expected rising numbers, each once"),
        ({"fractions": [0.0, 0.9]}, "Expected numbers above 0 and up to 1"),
        ({"fractions": []}, "at least 1"),
        ({"fraction": [0.9]}, "Unexpected keyword argument"),
    ],
)
def test_a_wrong_setting_is_refused(changes: dict[str, Any], message: str) -> None:
    group = load_parameters("base")["select_fields"] | changes
    with pytest.raises(ValidationError, match=message):
        TypeAdapter(SelectFieldsConfig).validate_python(group)
