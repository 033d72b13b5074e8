"""The figure of information against the number of fields."""

import io

import matplotlib as mpl
import pytest

from multifield.studies.field_selection import figures


def record(by, goal, fields, information):
    width = 0.1 if by == "trained" else None
    return {
        "by": by,
        "goal": goal,
        "n_fields": len(fields.split("_")),
        "fields": fields,
        "information": information,
        "low": None if width is None else information - width,
        "high": None if width is None else information + width,
    }


SETS = {"Mgas": 1.9, "T": 0.4, "Mgas_T": 3.9, "Mgas_HI": 2.0, "Mgas_T_HI": 4.0}


@pytest.fixture
def records():
    return [
        record(by, goal, fields, information + 0.5 * (goal == "all") - 0.3 * (by == "scorer"))
        for goal in ("cosmology", "all")
        for by in ("scorer", "trained")
        for fields, information in SETS.items()
    ]


def draw(records, smallest, in_all):
    figure = figures.information_of_sets(records, smallest, in_all, "MockTNG", 0.95)
    figure.savefig(io.BytesIO(), format="png", dpi=40)
    return figure


def texts(figure):
    return [text.get_text() for text in figure.findobj(mpl.text.Text)]


def test_one_panel_per_goal_names_the_smallest_sets(records):
    smallest = {("cosmology", 0.9): "Mgas_T", ("cosmology", 0.95): "Mgas_T_HI", ("all", 0.9): None}
    figure = draw(records, smallest, {"cosmology": 4.0, "all": 4.5})
    assert [ax.get_title() for ax in figure.axes] == ["cosmology", "all parameters"]
    found = texts(figure)
    assert {"90%: Mgas + T", "95%: Mgas + T + HI", "Fields of MockTNG (mock)"} <= set(found)


def test_a_set_that_holds_two_fractions_is_named_once(records):
    smallest = {("cosmology", 0.9): "Mgas_T", ("cosmology", 0.95): "Mgas_T"}
    figure = draw(records, smallest, {"cosmology": 4.0, "all": 4.5})
    assert [text for text in texts(figure) if "Mgas" in text] == ["90%, 95%: Mgas + T"]


def test_lines_are_at_the_fractions_of_what_all_fields_hold(records):
    figure = draw(records, {("cosmology", 0.9): "Mgas_T"}, {"cosmology": 5.0, "all": 5.0})
    dashed = [line for line in figure.axes[0].lines if line.get_linestyle() == "--"]
    assert [line.get_ydata()[0] for line in dashed] == [4.5]


def test_every_set_is_drawn(records):
    cosmology = [each for each in records if each["goal"] == "cosmology"]
    figure = draw(cosmology, {}, {"cosmology": 4.0})
    dots, best, *trained = figure.axes[0].lines
    assert len(dots.get_xdata()) == len(SETS)
    assert list(best.get_ydata()) == pytest.approx([1.6, 3.6, 3.7])
    assert sorted(trained[0].get_ydata()) == pytest.approx(sorted(SETS.values()))
