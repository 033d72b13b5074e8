"""Figure of the information against the number of fields."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from multifield.reporting.figures.style import (
    BLACK,
    BLUE,
    COLUMN_WIDTH,
    GREEN,
    GREY,
    ORANGE,
    PAGE_WIDTH,
    VERMILION,
    finish,
    styled,
    suite_title,
)

Record = Mapping[str, Any]
TITLES = {"cosmology": "cosmology", "all": "all parameters"}
STARS = (VERMILION, ORANGE, GREEN)  # colours of the smallest sets, in the order of fractions
SPREAD = 0.25  # [fields] horizontal spread of trained sets of one size


@styled
def information_of_sets(
    records: Sequence[Record],
    smallest: Mapping[tuple[str, float], str | None],
    information_in_all: Mapping[str, float],
    suite: str,
    level: float,
) -> Figure:
    """Draw the information in sets of fields against their size.

    Parameters
    ----------
    records : sequence of dict
        Records from `list_sets`: ``by``, ``goal``, ``n_fields``, ``fields``, ``information``,
        ``low`` and ``high`` [nats].
    smallest : mapping of (str, float) to (str or None)
        Smallest set by goal and fraction, from `name_smallest`.
    information_in_all : mapping of str to float
        Information in all fields [nats], by goal.
    suite : str
        Name of the suite, for the title.
    level : float
        Confidence level of ``low`` and ``high``.

    Returns
    -------
    figure : Figure
        Figure with one panel per goal. Points with bars are networks trained on one set, dots the
        scorer. Dashed lines are required fractions, stars the smallest sets that keep them.
    """
    goals = list(dict.fromkeys(record["goal"] for record in records))
    width = PAGE_WIDTH if len(goals) > 1 else 1.5 * COLUMN_WIDTH
    figure = Figure(figsize=(width, 3.8), layout="constrained")
    for ax, goal in zip(figure.subplots(1, len(goals), squeeze=False)[0], goals, strict=True):
        of_goal = [record for record in records if record["goal"] == goal]
        ranked, trained = (
            [record for record in of_goal if record["by"] == by] for by in ("scorer", "trained")
        )
        _draw_ranked(ax, ranked)
        _draw_trained(ax, trained, level)
        found = {asked: name for (of, asked), name in smallest.items() if of == goal}
        _draw_smallest(ax, trained, found, information_in_all[goal])
        ax.set(xlabel="Number of fields", ylabel="Information [nats]", title=TITLES[goal])
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15))  # dots fill the axes
    figure.suptitle(f"Fields of {suite_title(suite)}")
    return finish(figure)


def _draw_ranked(ax: Axes, ranked: Sequence[Record]) -> None:
    """Draw the sets ranked by the scorer, and the best of each size."""
    size = np.array([record["n_fields"] for record in ranked])
    information = np.array([record["information"] for record in ranked])
    ax.plot(size, information, ".", color=GREY, markersize=3, label="one network for all sets")
    sizes = np.unique(size)
    best = [information[size == each].max() for each in sizes]
    ax.plot(sizes, best, "-", color=GREY, linewidth=0.8)


def _draw_trained(ax: Axes, trained: Sequence[Record], level: float) -> None:
    x = _side_by_side([record["n_fields"] for record in trained])
    y, low, high = (
        np.array([record[key] for record in trained]) for key in ("information", "low", "high")
    )
    ax.errorbar(
        x, y, yerr=(np.maximum(y - low, 0), np.maximum(high - y, 0)), fmt="o", color=BLUE,
        markersize=3.5, linewidth=0.8, label=f"trained on the set, {100 * level:g}%",
    )  # fmt: skip


def _side_by_side(sizes: Sequence[int]) -> np.ndarray:
    """Spread sets of one size horizontally, so that they do not overlap."""
    places = np.array(sizes, np.float64)
    for size in set(sizes):
        rows = np.flatnonzero(places == size)
        if len(rows) > 1:
            places[rows] += np.linspace(-SPREAD / 2, SPREAD / 2, len(rows))
    return places


def _draw_smallest(
    ax: Axes, trained: Sequence[Record], found: Mapping[float, str | None], everything: float
) -> None:
    """Draw the required information, and name the smallest sets that keep it."""
    places = _side_by_side([record["n_fields"] for record in trained])
    asked_of: dict[str, list[float]] = {}
    for asked, name in found.items():
        ax.axhline(asked * everything, color=BLACK, linewidth=0.6, linestyle="--")
        ax.annotate(
            f"{100 * asked:g}%", (0.03, asked * everything), xycoords=("axes fraction", "data"),
            va="bottom", fontsize=7,
        )  # fmt: skip
        if name is not None:
            asked_of.setdefault(name, []).append(asked)
    for (name, all_asked), color in zip(asked_of.items(), cycle(STARS), strict=False):
        row = next(i for i, record in enumerate(trained) if record["fields"] == name)
        shares = ", ".join(f"{100 * asked:g}%" for asked in all_asked)
        ax.plot(
            places[row], trained[row]["information"], "*", color=color, markersize=9,
            markeredgecolor=BLACK, markeredgewidth=0.5, zorder=4, linestyle="none",
            label=f"{shares}: {name.replace('_', ' + ')}",
        )  # fmt: skip
