"""Posterior means against the truth."""

import numpy as np
from jaxtyping import Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from multifield.camels.selection import Selection
from multifield.evaluation.calibration import pulls
from multifield.evaluation.metrics import Metrics, score_results
from multifield.evaluation.results import Results, average_orientations
from multifield.reporting.figures.style import (
    BLACK,
    BLUE,
    COLUMN_WIDTH,
    ORANGE,
    PAGE_WIDTH,
    add_legend,
    finish,
    in_order,
    padded,
    styled,
    symbol,
    test_title,
)

MAX_POINTS = 150
"""Largest number of points per panel. More error bars would overlap."""


@styled
def true_against_predicted(
    results: Results,
    suite: str,
    field: str,
    tested_on: Selection | None = None,
    *,
    n_orientations: int = 1,
) -> Figure:
    """Draw posterior means against the truth, one panel per parameter, with pulls below.

    Parameters
    ----------
    results : Results
        Posteriors of the test maps, rows ordered (orientation, simulation, map).
    suite, field : str
        Suite and fields of the training maps, for the title. An empty suite makes `field` the
        title.
    tested_on : Selection, optional
        Test maps, for the title if they are of another suite or set.
    n_orientations : int, optional
        Number of orientations of each map, 8 in the benchmark.

    Returns
    -------
    figure : Figure
        One point per map, averaged over its orientations, with an error bar of one standard
        deviation. At most `MAX_POINTS` evenly spaced maps are drawn. R2, RMSE and chi2 are of all
        rows, as in `score_results`. The lower panels show pulls with bands of 1 and 2 standard
        deviations.

    Raises
    ------
    ValueError
        If the rows are not each map in `n_orientations` orientations.
    """
    metrics = score_results(results)
    points = average_orientations(results, n_orientations)
    shown = points.take(_thin(len(points)))
    figure, panels = _panels(len(results.inferred))
    for name, (means, lower) in zip(in_order(results), panels, strict=True):
        _draw_means(means, shown, name)
        _draw_numbers(means, metrics, name)
        _draw_pulls(lower, shown, name)
    figure.suptitle(test_title(field, suite, tested_on))
    caption = _caption(len(shown), len(points), n_orientations)
    add_legend(figure, panels[0][1], caption)
    return finish(figure)


def _panels(n_panels: int) -> tuple[Figure, list[tuple[Axes, Axes]]]:
    """Make a figure with two axes per panel. The upper one is three times as high."""
    n_columns = 2 if n_panels == 4 else min(n_panels, 3)
    n_rows = -(-n_panels // n_columns)
    panel = min(COLUMN_WIDTH, PAGE_WIDTH / n_columns)
    size = (panel * n_columns, (1.25 * panel + 0.2) * n_rows + 0.4)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(2 * n_rows, n_columns, squeeze=False, height_ratios=[3, 1] * n_rows)
    pairs = list(zip(axes[::2].flat, axes[1::2].flat, strict=True))
    for number, (upper, lower) in enumerate(pairs):
        lower.sharex(upper)
        upper.tick_params(labelbottom=False)
        if number % n_columns == 0:
            upper.set_ylabel("Posterior mean")
            lower.set_ylabel("Pull")
        if number >= n_panels:
            upper.set_axis_off()
            lower.set_axis_off()
    figure.align_ylabels()
    return figure, pairs[:n_panels]


def _thin(n_rows: int) -> Int[np.ndarray, " R"]:
    """Choose at most `MAX_POINTS` evenly spaced rows, including the first and the last."""
    return np.linspace(0, n_rows - 1, min(n_rows, MAX_POINTS)).round().astype(np.int64)


def _caption(n_shown: int, n_all: int, n_orientations: int) -> str:
    thinned = n_shown < n_all
    lines = [f"Error bars: one standard deviation. Shown: {n_shown:,} of {n_all:,} maps."]
    if n_orientations > 1:
        lines.append(
            f"Points: averages over {n_orientations} orientations. "
            "Metrics: all orientations separately."
        )
    elif thinned:
        lines.append("Metrics: all maps.")
    return "\n".join(lines)


def _draw_means(ax: Axes, results: Results, name: str) -> None:
    truth, mean, std = results.of(name)
    limits = padded(min(truth.min(), mean.min()), max(truth.max(), mean.max()))
    ax.plot(limits, limits, color=BLACK, linewidth=0.8, zorder=3)
    ax.errorbar(
        truth, mean, std, fmt="o", color=BLUE,
        markersize=1.8, elinewidth=0.5, alpha=0.6,
    )  # fmt: skip
    ax.set(xlim=limits, ylim=limits, title=symbol(name, results.space))
    for axis in (ax.xaxis, ax.yaxis):  # equal ticks, too
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))


def _draw_numbers(ax: Axes, metrics: Metrics, name: str) -> None:
    numbers = [rf"$\chi^2 = {metrics['chi2'][name]:.2f}$"]
    if name in metrics["R2"]:  # undefined if the parameter does not vary
        numbers.insert(0, f"$R^2 = {metrics['R2'][name]:.3f}$")
    text = f"{',  '.join(numbers)}\nRMSE$\\,= {metrics['RMSE'][name]:.3g}$"
    ax.text(
        0.04, 0.97, text, transform=ax.transAxes, va="top", fontsize=8, zorder=4,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1.0},
    )  # fmt: skip


def _draw_pulls(ax: Axes, results: Results, name: str) -> None:
    truth, _, _ = results.of(name)
    z = pulls(results, name)
    for sigmas in (2, 1):
        label = f"pulls within {sigmas} std"
        ax.axhspan(
            -sigmas, sigmas, color=ORANGE, alpha=0.1 + 0.15 / sigmas, linewidth=0, label=label
        )
    ax.axhline(0, color=BLACK, linewidth=0.8)
    ax.plot(truth, z, "o", color=BLUE, markersize=1.8, alpha=0.6, markeredgewidth=0)
    limit = max(3.6, 1.1 * float(np.abs(z).max()))
    ax.set(ylim=(-limit, limit), xlabel="True value")
    ax.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10], symmetric=True))
