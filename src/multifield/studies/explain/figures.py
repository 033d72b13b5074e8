"""Figures of an explanation: information by scale, environment, statistic and field."""

from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

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
    maps_title,
    styled,
    symbol,
)
from multifield.studies.explain import quantities as q
from multifield.studies.explain.result import Explanation, Reader, Row

COLORS: dict[Reader, str] = {"network": VERMILION, "statistics": BLUE}
LABELS: dict[Reader, str] = {"network": "network as trained", "statistics": "statistics, retrained"}
PALETTE = (BLUE, VERMILION, GREEN, ORANGE, GREY)
STYLES = ("o-", "s--", "^:", "D-.")
BAR = 0.36  # height of a bar, of 1 per name
INFORMATION = "information [nats per map]"


@styled
def scales(explanation: Explanation) -> Figure:
    """Draw the information in filtered and in smoothed maps.

    Parameters
    ----------
    explanation : Explanation
        Numbers to draw.

    Returns
    -------
    figure : Figure
        Figure with two panels. Bands are intervals, dotted lines the information in unchanged maps.
    """
    figure, (left, right) = _panels(explanation, 3.1)
    for by in _readers(explanation):
        (whole,) = explanation.find("maps", read_by=by)
        for name, style, words in (("below", "o-", "below $k$"), ("above", "s--", "above $k$")):
            rows = explanation.find("scales", q.NATS, name, by)
            _draw_line(left, rows, style, COLORS[by], f"{LABELS[by]}: {words}")
        rows = explanation.find("smoothing", q.NATS, read_by=by)
        _draw_line(right, rows, "o-", COLORS[by], LABELS[by])
        for ax in (left, right):
            if whole.interval is not None:
                ax.axhline(whole.interval.value, color=COLORS[by], linewidth=0.6, linestyle=":")
    left.set(xlabel="$k$ [$h$/Mpc]", ylabel=INFORMATION, title="scales kept")
    _log_axis(left)
    right.set(xlabel="smoothing [pixels]", title="smoothed maps", ylim=left.get_ylim())
    left.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2))
    right.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2))
    return finish(figure)


@styled
def environments(explanation: Explanation) -> Figure:
    """Draw the information in voids, filaments and knots, and what is lost without the mean.

    Parameters
    ----------
    explanation : Explanation
        Numbers to draw.

    Returns
    -------
    figure : Figure
        Figure with two panels. Bars are values, lines intervals.
    """
    figure, (left, right) = _panels(explanation, 2.5)
    by_reader: dict[Reader, list[Row]] = {
        by: [
            *explanation.find("environments", q.LOST, read_by=by),
            *explanation.find("monopole", q.LOST, read_by=by),
        ]
        for by in _readers(explanation)
    }
    colors = [COLORS[by] for by in by_reader]
    _draw_bars(left, {LABELS[by]: rows for by, rows in by_reader.items()}, colors)
    alone = {LABELS[by]: explanation.find("environments", q.ALONE, read_by=by) for by in by_reader}
    _draw_bars(right, alone, colors)
    left.set(xlabel="lost [nats per map]", title="without structure in")
    right.set(xlabel=INFORMATION, title="with structure only in")
    left.set_yticklabels(["mean of the map", "knots", "sheets and\nfilaments", "voids"])
    right.set_yticklabels(["knots", "sheets and\nfilaments", "voids"])
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return finish(figure)


@styled
def statistics(explanation: Explanation) -> Figure:
    """Draw the information of groups of statistics, and what they explain of the network.

    Parameters
    ----------
    explanation : Explanation
        Numbers to draw.

    Returns
    -------
    figure : Figure
        Figure with one panel, or two if there is a network.
    """
    figure, (left, right) = _panels(explanation, 3.3)
    kinds = {
        "alone": q.ALONE,
        "Shapley value": q.SHAPLEY,
        "Shapley value, power spectrum first": q.AFTER_POWER,
        "lost without": q.LOST,
    }
    found = {name: explanation.find("statistics", kind) for name, kind in kinds.items()}
    _draw_bars(left, found)
    left.set(xlabel=INFORMATION, title="statistics")
    left.legend(loc="upper center", bbox_to_anchor=(0.3, -0.16))
    names = [name for name in explanation.inferred if explanation.find("outputs", q.r2_of(name))]
    explained = {symbol(name): explanation.find("outputs", q.r2_of(name)) for name in names}
    if not explained:
        _say(right, "No network is explained.")
        return finish(figure)
    _draw_bars(right, explained)
    right.set(xlabel="$R^2$", title="posterior means of the network", xlim=(0, 1.05))
    right.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3)
    return finish(figure)


@styled
def fields(explanation: Explanation) -> Figure:
    """Draw the information of each field by scale, alone and beside the others.

    Parameters
    ----------
    explanation : Explanation
        Numbers to draw.

    Returns
    -------
    figure : Figure
        Figure with two panels, or the reason why there are none.
    """
    rows = explanation.find("fields")
    if not rows:
        figure = Figure(figsize=(COLUMN_WIDTH, 1.0), layout="constrained")
        _say(figure.subplots(), "There is only one field.")
        return finish(figure)
    figure, axes = _panels(explanation, 3.1)
    for ax, quantity, title in zip(
        axes, (q.ALONE, q.ADDED), ("each field alone", "added to the others"), strict=True
    ):
        for name, color, style in zip(
            explanation.fields, cycle(PALETTE), cycle(STYLES), strict=False
        ):
            of_field = explanation.find("fields", quantity, name)
            at_scales = [row for row in of_field if row.scale is not None]
            _draw_line(ax, at_scales, style, color, name)
            for row in of_field:
                if row.scale is None and row.interval is not None:
                    ax.axhline(row.interval.value, color=color, linewidth=0.6, linestyle=":")
        ax.set(xlabel="scales below $k$ [$h$/Mpc]", title=title)
        _log_axis(ax)
    axes[0].set(ylabel=INFORMATION)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return finish(figure)


def _panels(explanation: Explanation, height: float) -> tuple[Figure, tuple[Axes, Axes]]:
    figure = Figure(figsize=(PAGE_WIDTH, height), layout="constrained")
    figure.suptitle(maps_title("_".join(explanation.fields), explanation.suite))
    left, right = figure.subplots(1, 2)
    return figure, (left, right)


def _readers(explanation: Explanation) -> list[Reader]:
    return [by for by in LABELS if explanation.find("maps", read_by=by)]


def _log_axis(ax: Axes) -> None:
    """Make the horizontal axis logarithmic, with few labels such as 0.5."""
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter(NullFormatter())


def _ends(rows: Sequence[Row]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return values and ends of the intervals; NaN where there is none."""
    found = [row.interval for row in rows]
    take: Callable[[str], np.ndarray] = lambda end: np.array(  # noqa: E731
        [np.nan if each is None else getattr(each, end) for each in found]
    )
    return take("value"), take("low"), take("high")


def _draw_line(ax: Axes, rows: Sequence[Row], style: str, color: str, label: str) -> None:
    x = np.array([row.scale for row in rows], np.float64)
    value, low, high = _ends(rows)
    ax.fill_between(x, low, high, color=color, alpha=0.15, linewidth=0)
    ax.plot(x, value, style, color=color, markersize=3.5, label=label)


def _draw_bars(ax: Axes, groups: dict[str, list[Row]], colors: Sequence[str] = PALETTE) -> None:
    """Draw one bar per name and group, the first name at the top."""
    names = [row.name for row in next(iter(groups.values()))]
    height = 2 * BAR / len(groups)
    options: dict[str, Any] = {"ecolor": BLACK, "error_kw": {"elinewidth": 0.7}}
    for number, ((label, rows), color) in enumerate(
        zip(groups.items(), cycle(colors), strict=False)
    ):
        value, low, high = _ends(rows)
        place = -np.arange(len(rows)) + BAR - (number + 0.5) * height
        errors = np.maximum([value - low, high - value], 0)
        ax.barh(place, value, height, xerr=errors, color=color, label=label, **options)
    ax.axvline(0, color=BLACK, linewidth=0.6)
    ax.set_yticks(-np.arange(len(names))[::-1], names[::-1])
    ax.tick_params(axis="y", length=0)


def _say(ax: Axes, text: str) -> None:
    ax.text(0.5, 0.5, text, ha="center", va="center", transform=ax.transAxes, color="0.35")
    ax.set_axis_off()
