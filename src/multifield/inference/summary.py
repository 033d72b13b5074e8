"""The last words of a prediction: the first maps, and how many are unlike those trained on."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from multifield import camels
from multifield.inference.card import ModelCard
from multifield.last_words import print_table

N_SHOWN = 8  # rows; the files have all


def prediction_table(records: Sequence[Mapping[str, Any]], card: ModelCard) -> Table:
    """Lay out the first predictions, one row a map.

    Parameters
    ----------
    records : sequence of dict
        As `multifield.inference.infer_parameters` gives them.
    card : ModelCard

    Returns
    -------
    table : rich.table.Table
        Standard deviations are recalibrated. Maps that are flagged say so.
    """
    n_flagged = sum(bool(record["unlike_training"]) for record in records)
    mock = "mock suite " if camels.find_suite(card.suite).mock else ""
    caption = (
        f"{n_flagged} of {len(records)} maps are unlike those trained on; of maps like them "
        f"{100 * card.novelty.false_alarms:.2g} % would be called so\n"
        "+-: one sigma, recalibrated on validation maps"
    )
    if len(records) > N_SHOWN:
        caption += f"; the first {N_SHOWN} of {len(records)} maps"
    table = Table(title=f"trained on {mock}{card.suite}, {card.field} maps", caption=caption)
    table.add_column("map", justify="right")
    for name in card.inferred:
        table.add_column(name, justify="right", overflow="fold")
    table.add_column("p-value", justify="right")
    table.add_column("")
    for record in records[:N_SHOWN]:
        values = [
            f"{record[f'{name}_mean']:.3g}+-{record[f'{name}_std_recalibrated']:.1g}"
            for name in card.inferred
        ]
        remark = "unlike" if record["unlike_training"] else ""
        table.add_row(str(record["map"]), *values, f"{record['p_value']:.2g}", remark)
    return table


def print_predictions(
    records: Sequence[Mapping[str, Any]],
    card: ModelCard,
    next_steps: Sequence[str],
    console: Console | None = None,
) -> None:
    """Print the table and, below it, where the files are.

    Parameters
    ----------
    records, card
        As for `prediction_table`.
    next_steps : sequence of str
        One a line, shown as they are.
    console : rich.console.Console, optional
        Where to print; standard output if not given.
    """
    print_table(prediction_table(records, card), next_steps, console)
