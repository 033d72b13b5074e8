"""The last words of a selection of fields: the smallest sets."""

from rich.table import Table

from multifield.studies.field_selection.answer import FieldSelection, SmallestSet


def selection_table(selection: FieldSelection) -> Table:
    """Lay out the smallest sets, one row a goal and fraction."""
    mock = "mock suite " if selection.mock else ""
    caption = (
        f"of the information in all {len(selection.fields)} fields; {100 * selection.level:g} % of the "
        f"resamples of {selection.n_simulations} test simulations lie between the two in brackets"
    )
    table = Table(title=f"fields of {mock}{selection.suite}", caption=caption)
    for heading in ("parameters", "asked", "smallest set", "information [nats]", "fraction"):
        table.add_column(heading, overflow="fold")
    for found in selection.smallest:
        table.add_row(found.goal, f"{100 * found.asked:g} %", *_cells(found))
    return table


def _cells(found: SmallestSet) -> tuple[str, str, str]:
    if found.fields is None or found.information is None:
        return "none: all fields say nothing", "-", "-"
    information = f"{found.information.value:.2f}+-{found.information.error:.1g}"
    if found.fraction is None:
        return " + ".join(found.fields), information, "-"
    share = found.fraction
    fraction = f"{100 * share.value:.0f} % ({100 * share.low:.0f} to {100 * share.high:.0f})"
    return " + ".join(found.fields), information, fraction
