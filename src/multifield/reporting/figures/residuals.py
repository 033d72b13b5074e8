"""Errors of posterior means, in the unit of the parameter and in standard deviations."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from multifield.camels.selection import Selection
from multifield.evaluation.bootstrap import simulation_of_rows
from multifield.evaluation.calibration import pulls
from multifield.evaluation.results import Results, average_orientations
from multifield.reporting.figures.style import (
    BLACK,
    BLUE,
    ORANGE,
    PAGE_WIDTH,
    PULL_LIMIT,
    VERMILION,
    add_legend,
    draw_pulls,
    finish,
    in_order,
    padded,
    set_ticks,
    styled,
    symbol,
    test_title,
)

ROW_HEIGHT = 1.9  # [inch] per parameter
N_GROUPS = 6  # groups of simulations of similar truth
MIN_IN_GROUP = 3  # simulations, for a standard error


@styled
def residuals(
    results: Results,
    suite: str,
    field: str,
    tested_on: Selection | None = None,
    *,
    n_orientations: int = 1,
    maps_per_simulation: int | None = None,
) -> Figure:
    """Draw errors against the truth, and pulls beside a unit Gaussian, one row per parameter.

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
    maps_per_simulation : int, optional
        Number of maps per simulation.

    Returns
    -------
    figure : Figure
        One point per map. Squares are means over simulations of similar truth. They have standard
        errors if the group has at least `MIN_IN_GROUP` simulations.

    Raises
    ------
    ValueError
        If the rows are not each map of each simulation in `n_orientations` orientations.
    """
    maps = average_orientations(results, n_orientations)
    simulation = simulation_of_rows(maps, 1, maps_per_simulation)
    n = len(maps.inferred)
    figure = Figure(figsize=(PAGE_WIDTH, ROW_HEIGHT * n + 1.0), layout="constrained")
    axes = figure.subplots(n, 2, squeeze=False, width_ratios=[1.7, 1])
    for name, (error, pull) in zip(in_order(maps), axes, strict=True):
        _draw_errors(error, maps, simulation, name)
        z = pulls(maps, name)
        draw_pulls(pull, z, histtype="stepfilled", facecolor=(BLUE, 0.35), edgecolor=BLUE)
        text = f"mean ${z.mean():.2f}$\nstd ${z.std():.2f}$"
        pull.text(0.04, 0.95, text, transform=pull.transAxes, va="top", fontsize=8)
        set_ticks(pull)
    axes[0, 0].set_title("Errors")
    axes[0, 1].set_title("Pulls")
    axes[-1, 1].set_xlabel(r"(mean $-$ truth) / std")
    figure.suptitle(test_title(field, suite, tested_on))
    figure.align_ylabels(axes[:, 0])
    of_maps = f", averaged over {n_orientations} orientations" if n_orientations > 1 else ""
    caption = (
        f"Each point is a map{of_maps}. Black line: unit Gaussian. "
        rf"Pulls beyond $\pm {PULL_LIMIT:g}$ are in the outermost bins."
    )
    add_legend(figure, axes[0, 0], caption)
    return finish(figure)


def _draw_errors(ax: Axes, maps: Results, simulation: np.ndarray, name: str) -> None:
    truth, mean, _ = maps.of(name)
    error = mean - truth
    rmse = float(np.sqrt(np.mean(error**2)))
    ax.axhspan(-rmse, rmse, color=ORANGE, alpha=0.22, linewidth=0, label=r"$\pm$ RMSE")
    ax.axhline(0, color=BLACK, linewidth=0.8)
    ax.plot(truth, error, "o", color=BLUE, markersize=1.8, alpha=0.45, markeredgewidth=0,
            label="map")  # fmt: skip
    centres, means, errors = _groups(truth, error, simulation)
    ax.errorbar(
        centres, means, errors, fmt="s", color=VERMILION, markersize=4, elinewidth=1.2, capsize=2,
        markeredgecolor="white", markeredgewidth=0.5, zorder=4,
        label="mean over similar simulations",
    )  # fmt: skip
    limit = 1.1 * float(np.abs(error).max()) or 1.0
    ax.set(xlim=padded(truth.min(), truth.max()), ylim=(-limit, limit))
    label = symbol(name, maps.space)
    ax.set(xlabel=f"True {label}", ylabel=rf"{label}: mean $-$ truth")
    ax.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    ax.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10], symmetric=True))


def _groups(
    truth: np.ndarray, error: np.ndarray, simulation: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Average truth and error of similar simulations, with standard errors (NaN for few).

    Maps of one simulation share most of their error, so simulations are averaged, not maps.
    """
    n_maps = np.bincount(simulation)
    truths = np.bincount(simulation, truth) / n_maps
    errors = np.bincount(simulation, error) / n_maps
    order = np.argsort(truths, kind="stable")
    n_groups = max(1, min(N_GROUPS, len(order) // MIN_IN_GROUP))
    groups = np.array_split(order, n_groups)
    standard = [
        errors[g].std(ddof=1) / np.sqrt(len(g)) if len(g) >= MIN_IN_GROUP else np.nan
        for g in groups
    ]
    means = np.array([[truths[g].mean(), errors[g].mean()] for g in groups])
    return means[:, 0], means[:, 1], np.array(standard)
