"""Figures of a robustness study: matrices of errors, and errors against smoothing."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from multifield import camels
from multifield.reporting.figures.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PAGE_WIDTH,
    VERMILION,
    finish,
    styled,
    suite_title,
)

ROW_HEIGHT = 2.6  # [inch] per field
WORST = 5.0  # largest ratio of errors on the colour scale
COLORS = (BLUE, VERMILION, GREEN, ORANGE, GREY)
Records = Sequence[Mapping[str, Any]]


@styled
def suite_matrices(records: Records) -> Figure:
    """Draw RMSE and chi2 of networks of one suite on every suite, one row of panels per field.

    Parameters
    ----------
    records : sequence of mappings
        Records of networks trained on one suite at one smoothing, from
        `studies.robustness.score_all`. Numbers may be text, as in a CSV.

    Returns
    -------
    figure : Figure
        Figure whose cells are networks (rows) on suites (columns). The colour is the RMSE over
        that of the network trained on the test suite.
    """
    fields = list(dict.fromkeys(record["field"] for record in records))
    figure = Figure(figsize=(PAGE_WIDTH, ROW_HEIGHT * len(fields) + 0.6), layout="constrained")
    names = dict.fromkeys(record["parameter"] for record in records)
    axes = figure.subplots(len(fields), len(names), squeeze=False)
    for field, row in zip(fields, axes, strict=True):
        for parameter, ax in zip(names, row, strict=True):
            _draw_matrix(
                ax, [r for r in records if (r["field"], r["parameter"]) == (field, parameter)]
            )
            ax.set_title(f"{field}: {_label(parameter)}")
    figure.suptitle(r"RMSE and $\chi^2$; colour: RMSE over that of the test suite's network")
    return finish(figure)


def _draw_matrix(ax: Axes, records: Records) -> None:
    suites = list(dict.fromkeys(record["tested_on"] for record in records))
    cells = {(r["trained_on"], r["tested_on"]): r for r in records}
    rmse = np.array([[float(cells[a, b]["RMSE"]) for b in suites] for a in suites])
    ratio = rmse / np.diag(rmse)
    ax.imshow(np.log(ratio), cmap="OrRd", vmin=0, vmax=np.log(WORST), aspect="auto")
    for i, a in enumerate(suites):
        for j, b in enumerate(suites):
            text = f"{rmse[i, j]:.3f}\n{float(cells[a, b]['chi2']):.3g}"
            color = "white" if ratio[i, j] > 0.6 * WORST else "black"
            ax.text(j, i, text, ha="center", va="center", fontsize=7, color=color)
    names = [suite_title(suite).replace(" ", "\n") for suite in suites]  # avoids overlap
    ax.set_xticks(range(len(suites)), names, fontsize=6.5)
    ax.set_yticks(range(len(suites)), names, fontsize=6.5, rotation=90, va="center")
    ax.set(xlabel="tested on", ylabel="trained on")
    ax.tick_params(length=0)


@styled
def smoothing_scan(records: Records) -> Figure:
    """Draw RMSE against smoothing, on the training suite and on others, one row per field.

    Parameters
    ----------
    records : sequence of mappings
        Records of networks trained on one suite, at every smoothing. Training and test maps have
        the same smoothing.

    Returns
    -------
    figure : Figure
        Figure with one colour per training suite. Solid lines are tests on it, dashed lines the
        mean over the other suites.
    """
    fields = list(dict.fromkeys(record["field"] for record in records))
    figure = Figure(figsize=(PAGE_WIDTH, 2.2 * len(fields) + 0.6), layout="constrained")
    names = dict.fromkeys(record["parameter"] for record in records)
    axes = figure.subplots(len(fields), len(names), squeeze=False)
    for field, row in zip(fields, axes, strict=True):
        for parameter, ax in zip(names, row, strict=True):
            _draw_scan(
                ax, [r for r in records if (r["field"], r["parameter"]) == (field, parameter)]
            )
            ax.set(title=field, ylabel=f"RMSE of {_label(parameter)}")
            ax.set(xlabel="smoothing of training and test maps [pixels]")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return finish(figure)


def _draw_scan(ax: Axes, records: Records) -> None:
    widths = sorted({float(record["smoothing_width"]) for record in records})
    suites = list(dict.fromkeys(record["trained_on"] for record in records))
    for number, suite in enumerate(suites):
        color = COLORS[number % len(COLORS)]
        mine = [r for r in records if r["trained_on"] == suite]
        for where, style in (("on itself", "o-"), ("on others", "s--")):
            on_itself = where == "on itself"
            rmse = [
                np.mean(
                    [
                        float(r["RMSE"])
                        for r in mine
                        if float(r["smoothing_width"]) == width
                        and (r["tested_on"] == suite) == on_itself
                    ]
                )
                for width in widths
            ]
            label = f"{suite_title(suite)} {where}"
            ax.plot(widths, rmse, style, color=color, markersize=3, label=label)
    ax.set_ylim(0, None)


def _label(parameter: str) -> str:
    tables = camels.BUILT_IN.tables.values()
    labels = (table[parameter].label for table in tables if parameter in table.names)
    return next(labels, parameter)
