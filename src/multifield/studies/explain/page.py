"""The page of an explanation: figures, and a table of all numbers."""

from collections.abc import Mapping

from multifield.reporting.figures.style import maps_title
from multifield.reporting.report.page import fill_template, inline
from multifield.studies.explain import quantities as q
from multifield.studies.explain.result import Explanation, Row

CAPTIONS = {
    "scales": "Information in maps with the scales below or above a wave number, and in smoothed "
    "maps. The mean of a map is below every wave number. Dotted lines: unchanged maps.",
    "environments": "Left: information that is lost when the structure of one environment is "
    "replaced by its mean in each map, or when the mean of the map is subtracted. Right: "
    "information when only one environment keeps its structure.",
    "statistics": "Left: information in groups of statistics. Right: share of the variance of the "
    "network's posterior means that a regression on the statistics explains.",
    "fields": "Information in scales below k, in each field alone and added to the other fields. "
    "Dotted lines: all scales.",
}
"""Captions of the figures; the order is the template's."""

Cell = tuple[str, str]


def render_explanation(explanation: Explanation, figures: Mapping[str, bytes]) -> str:
    """Render the page: one HTML file that loads nothing and runs no script.

    Parameters
    ----------
    explanation : Explanation
        All numbers.
    figures : mapping of str to bytes
        PNG by name, for the names of `CAPTIONS`.

    Returns
    -------
    page : str
        The HTML page.
    """
    shown = [name for name in CAPTIONS if name != "fields" or explanation.find("fields")]
    return fill_template(
        "explanation.html.j2",
        title=f"What is read from {maps_title('_'.join(explanation.fields), explanation.suite)}",
        explanation=explanation,
        whole=[(row.read_by, _cell(row)) for row in explanation.find("maps")],
        monopole=_monopole(explanation),
        rows=[(row, _cell(row)) for row in explanation.rows],
        figures={name: inline(figures[name]) for name in shown},
        captions=CAPTIONS,
        level=100 * explanation.level,
    )


def _monopole(explanation: Explanation) -> list[tuple[str, list[Cell]]]:
    """List information and mean relative errors of the statistics with and without the mean."""
    quantities = [q.NATS, *(q.epsilon_of(name) for name in explanation.inferred)]
    found = {
        quantity: explanation.find("monopole", quantity, read_by="statistics")
        for quantity in quantities
    }
    return [
        (quantity.replace("epsilon", "epsilon [%]"), [_cell(row) for row in rows])
        for quantity, rows in found.items()
    ]


def _cell(row: Row) -> Cell:
    """Format a value and its interval."""
    if row.interval is None:
        return "-", ""
    factor, form = (100.0, ".2f") if row.quantity.startswith("epsilon") else (1.0, ".3f")
    value, low, high = (
        f"{factor * each:{form}}"
        for each in (row.interval.value, row.interval.low, row.interval.high)
    )
    return value, f"{low} to {high}"
