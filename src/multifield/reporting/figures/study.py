"""Trials of an Optuna study: losses, importance of hyperparameters, parallel coordinates."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from multifield.reporting.figures.style import (
    BLACK,
    BLUE,
    COLUMN_WIDTH,
    GREY,
    PAGE_WIDTH,
    VERMILION,
    finish,
    maps_title,
    padded,
    styled,
)

Trials = Sequence[Mapping[str, Any]]
"""Rows of `multifield.tuning.trials_table`, one per trial."""

LABELS = {
    "lr": "learning rate",
    "wd": "weight decay",
    "dr": "dropout",
    "hidden": "hidden",
}
_LOGARITHMIC = ("lr", "wd")  # log-uniform in the search space
_WORST_SHOWN = 0.9  # quantile of losses; diverged trials would hide differences between others


@styled
def study_history(trials: Trials, suite: str, field: str) -> Figure:
    """Draw the lowest validation loss of each trial, and the best so far.

    Parameters
    ----------
    trials : sequence of mapping
        Trials with ``number``, ``state`` and ``value``.
    suite, field : str
        Suite and fields of the training maps, for the title.

    Returns
    -------
    figure : Figure
        The range is that of the best 90% of the trials. Trials above it are triangles at the upper
        edge, failed trials are crosses.

    Raises
    ------
    ValueError
        If no trial is complete.
    """
    complete = _complete(trials)
    numbers = np.array([trial["number"] for trial in complete])
    values = np.array([trial["value"] for trial in complete])
    figure = Figure(figsize=(COLUMN_WIDTH * 1.35, COLUMN_WIDTH), layout="constrained")
    ax = figure.subplots()
    lower, upper = padded(values.min(), _worst_shown(values))
    inside = values <= upper
    ax.plot(numbers[inside], values[inside], "o", color=BLUE, markersize=3.5, label="trial")
    ax.step(
        numbers, np.minimum.accumulate(values), color=VERMILION, where="post", label="best so far"
    )
    top = upper - 0.02 * (upper - lower)
    _mark(ax, numbers[~inside], top, "^", BLUE, "above the range")
    failed = np.array([trial["number"] for trial in trials if trial["state"] == "FAIL"])
    _mark(ax, failed, top, "x", BLACK, "failed")
    room = 0.35 * (upper - lower)  # space for the legend
    ax.set(xlabel="Trial", ylabel="Lowest validation loss", ylim=(lower, upper + room))
    ax.set_xlim(padded(0.0, float(max(trial["number"] for trial in trials))))
    ax.set_title(maps_title(field, suite))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.legend(loc="upper right", ncols=2)
    return finish(figure)


@styled
def hyperparameter_importance(
    importances: Mapping[str, float], n_complete: int, n_needed: int, suite: str, field: str
) -> Figure:
    """Draw the importance of each hyperparameter as a bar, or the reason why there is none.

    Parameters
    ----------
    importances : mapping of str to float
        Importances from `multifield.tuning.estimate_importances`. Empty with too few trials.
    n_complete, n_needed : int
        Number of complete trials, and number that importances need.
    suite, field : str
        Suite and fields of the training maps, for the title.

    Returns
    -------
    figure : Figure
        The bars or the reason.
    """
    figure = Figure(figsize=(COLUMN_WIDTH * 1.35, 0.65 * COLUMN_WIDTH), layout="constrained")
    ax = figure.subplots()
    ax.set_title(maps_title(field, suite))
    if not importances:
        _say(ax, f"Importance needs {n_needed} complete trials;\nthis study has {n_complete}.")
        return finish(figure)
    names = list(importances)[::-1]  # matplotlib draws bars from bottom to top
    bars = ax.barh([LABELS[name] for name in names], [importances[name] for name in names])
    for bar in bars:
        bar.set(color=BLUE, height=0.6)
    ax.bar_label(bars, fmt="{:.2f}", padding=3, fontsize=8)
    ax.set(xlabel=f"Importance (PED-ANOVA, {n_complete} trials)")
    ax.set_xlim(0, 1.15 * max(importances.values()))
    ax.tick_params(axis="y", length=0)
    return finish(figure)


@styled
def parallel_coordinates(trials: Trials, suite: str, field: str) -> Figure:
    """Draw each complete trial as a line through its hyperparameters to its loss.

    Parameters
    ----------
    trials : sequence of mapping
        Trials with ``value``, ``state`` and the hyperparameters.
    suite, field : str
        Suite and fields of the training maps, for the title.

    Returns
    -------
    figure : Figure
        Axes span the values of the trials. Learning rate and weight decay are logarithmic. Good
        trials are dark and drawn on top; the best is marked. Losses above the best 90% are drawn at
        the top of their axis.

    Raises
    ------
    ValueError
        If no trial is complete.
    """
    complete = sorted(_complete(trials), key=lambda trial: -float(trial["value"]))
    values = np.array([trial["value"] for trial in complete])
    worst = _worst_shown(values)
    columns = {name: np.array([t[name] for t in complete], float) for name in LABELS}
    columns["value"] = np.minimum(values, worst)
    limits = {name: _axis_limits(name, column) for name, column in columns.items()}
    heights = np.stack([_height(name, columns[name], limits[name]) for name in columns], axis=1)
    figure = Figure(figsize=(PAGE_WIDTH, 2.9), layout="constrained")
    ax = figure.subplots()
    colors = ScalarMappable(Normalize(*_span(values.min(), worst)), "cividis")
    x = np.arange(len(columns))
    lines = [np.column_stack([x, row]) for row in heights]
    ax.add_collection(
        LineCollection(lines, colors=colors.to_rgba(columns["value"]), linewidths=1.1, alpha=0.85)
    )
    ax.plot(x, heights[-1], "o-", color=VERMILION, markersize=4, linewidth=1.6, zorder=4)
    _finish_coordinates(ax, limits, best=int(complete[-1]["number"]))
    extend = "max" if worst < values.max() else "neither"
    figure.colorbar(colors, ax=ax, label="validation loss", pad=0.02, aspect=25, extend=extend)
    plural = "s" if len(complete) > 1 else ""
    figure.suptitle(f"{maps_title(field, suite)}, {len(complete)} trial{plural}")
    return finish(figure)


def _complete(trials: Trials) -> list[Mapping[str, Any]]:
    complete = [
        trial
        for trial in trials
        if trial["state"] == "COMPLETE" and math.isfinite(float(trial["value"]))
    ]
    if not complete:
        raise ValueError(f"trials: Expected a complete trial among {len(trials)}, got none.")
    return complete


def _span(lower: float, upper: float) -> tuple[float, float]:
    """Give a range of colors, also for a single value."""
    return (lower, upper) if lower < upper else padded(lower, upper)


def _worst_shown(values: np.ndarray) -> float:
    """Give the largest loss of the range: all of few trials, the best 90% of many."""
    return float(np.quantile(values, _WORST_SHOWN) if len(values) >= 10 else values.max())


def _mark(
    ax: Axes, numbers: np.ndarray, height: float, marker: str, color: str, label: str
) -> None:
    if len(numbers):
        heights = np.full(len(numbers), height)
        ax.plot(numbers, heights, marker, color=color, markersize=4, label=label, linestyle="none")


def _say(ax: Axes, text: str) -> None:
    ax.set_axis_off()
    ax.text(0.5, 0.5, text, ha="center", va="center", transform=ax.transAxes, color="0.35")


def _axis_limits(name: str, column: np.ndarray) -> tuple[float, float]:
    if name in _LOGARITHMIC:
        column = np.log10(column)
    return padded(float(column.min()), float(column.max()))


def _height(name: str, column: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """Map values to heights between the limits, 0 to 1."""
    place = np.log10(column) if name in _LOGARITHMIC else column
    height: np.ndarray = (place - limits[0]) / (limits[1] - limits[0])
    return height


def _finish_coordinates(ax: Axes, limits: Mapping[str, tuple[float, float]], best: int) -> None:
    """Draw an axis with ticks for each hyperparameter."""
    ax.set(xlim=(-0.35, len(limits) - 0.55), ylim=(0, 1))
    ax.set_yticks([])
    ax.tick_params(axis="x", length=0, pad=6)
    names = [*(LABELS[name] for name in limits if name != "value"), "validation loss"]
    ax.set_xticks(range(len(limits)), names)
    for spine in ax.spines.values():
        spine.set_visible(False)
    for x, (name, (lower, upper)) in enumerate(limits.items()):
        ax.axvline(x, color=GREY, linewidth=0.8, zorder=0)
        for tick in _ticks(name, lower, upper):
            height = (tick - lower) / (upper - lower)
            ax.text(x + 0.03, height, _tick_text(name, tick), fontsize=7.5, va="center", zorder=5,
                    bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.6})  # fmt: skip
    ax.plot([], [], "o-", color=VERMILION, markersize=4, label=f"best: trial {best}")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1.0), borderpad=0.1)


def _ticks(name: str, lower: float, upper: float) -> list[float]:
    decades = name in _LOGARITHMIC and upper - lower > 2
    locator = MaxNLocator(4, integer=decades or name == "hidden", min_n_ticks=1)
    return [tick for tick in locator.tick_values(lower, upper) if lower <= tick <= upper]


def _tick_text(name: str, tick: float) -> str:
    text = f"{10**tick:.1e}" if name in _LOGARITHMIC else f"{tick:.4g}"
    return text.replace("-", "\N{MINUS SIGN}")
