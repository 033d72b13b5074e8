"""The last words of a prediction: the first maps, and how many are unlike those trained on."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from multifield import camels
from multifield.prediction.card import ModelCard

N_SHOWN = 8  # rows; the files have all


def prediction_table(records: Sequence[Mapping[str, Any]], card: ModelCard) -> Table:
    """Lay out the first predictions, one row a map.

    Parameters
    ----------
    records : sequence of dict
        As `multifield.prediction.infer_parameters` gives them.
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
