"""Tables of a field selection: all sets as records, and the smallest sets for the console."""

from collections.abc import Sequence

from rich.table import Table

from multifield.data.field_sets import FieldSet
from multifield.evaluation.intervals import Interval
from multifield.studies.field_selection.answer import FieldSelection, MeasuredSet, SmallestSet
from multifield.studies.field_selection.networks import SEPARATOR, FieldScores
from multifield.studies.field_selection.search import choose_goals

SCORER, TRAINED = "scorer", "trained"  # network that measured the information
Record = dict[str, str | int | float | None]


def name_smallest(selection: FieldSelection) -> dict[tuple[str, float], str | None]:
    """Name the smallest set of each goal and fraction.

    Parameters
    ----------
    selection : FieldSelection
        Result of `find_smallest`.

    Returns
    -------
    names : dict of (str, float) to (str or None)
        Fields joined with ``_`` by goal and fraction, as in the table. None if no set is selected.
    """
    return {
        (found.goal, found.asked): None if found.fields is None else SEPARATOR.join(found.fields)
        for found in selection.smallest
    }


def list_sets(scores: FieldScores, measured: Sequence[MeasuredSet]) -> list[Record]:
    """Tabulate all sets: those ranked by the scorer and those trained from scratch.

    Parameters
    ----------
    scores : FieldScores
        Sets ranked by the scorer, on validation maps.
    measured : sequence of MeasuredSet
        Sets trained from scratch, on test maps.

    Returns
    -------
    records : list of dict
        One record per goal and set: ``by`` (scorer or trained), ``goal``, ``n_fields``,
        ``fields``, ``information`` [nats] with ``error``, ``low`` and ``high``, and ``fraction``
        with ``fraction_low`` and ``fraction_high``. Missing values are None.
    """
    ranked = [
        _record(
            SCORER,
            goal,
            each.fields,
            each.information[goal],
            each.information[goal] / whole if whole > 0 else None,
        )
        for goal in choose_goals(scores.inferred)
        for whole in [max(each.information[goal] for each in scores.sets)]
        for each in scores.sets
    ]
    trained = [
        _record(
            TRAINED,
            each.goal,
            each.fields,
            each.information,
            each.fraction,
        )
        for each in measured
    ]
    return ranked + trained


def _record(
    by: str,
    goal: str,
    fields: FieldSet,
    information: Interval | float,
    fraction: Interval | float | None,
) -> Record:
    value, error, low, high = _spread(information)
    share, _, share_low, share_high = _spread(fraction)
    return {
        "by": by,
        "goal": goal,
        "n_fields": len(fields),
        "fields": SEPARATOR.join(fields),
        **{"information": value, "error": error, "low": low, "high": high},
        **{"fraction": share, "fraction_low": share_low, "fraction_high": share_high},
    }


def _spread(
    number: Interval | float | None,
) -> tuple[float | None, float | None, float | None, float | None]:
    if isinstance(number, Interval):
        return number.value, number.error, number.low, number.high
    return number, None, None, None


def selection_table(selection: FieldSelection) -> Table:
    """Make a console table of the smallest sets, one row per goal and fraction.

    Parameters
    ----------
    selection : FieldSelection
        Result of `find_smallest`.

    Returns
    -------
    table : rich.table.Table
        Table to print.
    """
    mock = "mock suite " if selection.mock else ""
    caption = (
        f"Fractions of the information in all {len(selection.fields)} fields. Brackets: "
        f"{100 * selection.level:g}% interval over {selection.n_simulations} test simulations."
    )
    table = Table(title=f"Fields of {mock}{selection.suite}", caption=caption)
    for heading in ("parameters", "required", "smallest set", "information [nats]", "fraction"):
        table.add_column(heading, overflow="fold")
    for found in selection.smallest:
        table.add_row(found.goal, f"{100 * found.asked:g}%", *_cells(found))
    return table


def _cells(found: SmallestSet) -> tuple[str, str, str]:
    if found.fields is None or found.information is None:
        return "none: no information in all fields", "-", "-"
    information = f"{found.information.value:.2f}+-{found.information.error:.1g}"
    if found.fraction is None:
        return " + ".join(found.fields), information, "-"
    share = found.fraction
    fraction = f"{100 * share.value:.0f}% ({100 * share.low:.0f} to {100 * share.high:.0f})"
    return " + ".join(found.fields), information, fraction
