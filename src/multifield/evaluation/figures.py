"""Figures of results, training and maps, in one style for print.

Each function returns a `matplotlib.figure.Figure` and touches no state of pyplot. Widths are those
of a journal page, colours those of Okabe and Ito, which the colour-blind tell apart.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from jaxtyping import Int
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure as Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import (
    LogFormatterSciNotation,
    LogLocator,
    MaxNLocator,
    NullFormatter,
)

from multifield import camels
from multifield.arrays import Map, Maps
from multifield.evaluation.metrics import Metrics, score_results
from multifield.evaluation.results import Results, average_orientations
from multifield.selection import Selection
from multifield.training.loss_files import Losses

BLACK, ORANGE, BLUE = "#000000", "#E69F00", "#0072B2"  # Okabe & Ito 2008
GREEN, VERMILION, GREY = "#009E73", "#D55E00", "#8C8C8C"
PAGE_WIDTH = 7.0  # [inch], both columns of a journal page
COLUMN_WIDTH = 3.4  # [inch], one column
MAX_POINTS = 150  # in a panel; error bars of more hide each other

_STYLE: dict[Any, object] = {
    "font.family": "STIXGeneral",  # comes with matplotlib, so the same everywhere
    "mathtext.fontset": "stix",
    "font.size": 9,
    "axes.titlesize": 9,
    "figure.titlesize": 10,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.2,
    "figure.dpi": 200,
}
_UNITS = {
    "(M_sun/h)/(Mpc/h)^2": r"$(M_\odot/h)\,/\,(\mathrm{Mpc}/h)^2$",
    "h^2 M_sun (km/s)^2/kpc^3": r"$h^2\,M_\odot\,(\mathrm{km/s})^2/\mathrm{kpc}^3$",
    "h^2 cm^-3 (Mpc/h)": r"$h^2\,\mathrm{cm}^{-3}\,(\mathrm{Mpc}/h)$",
}  # others are set as they are


# ---- titles ----


def suite_title(suite: str) -> str:
    """Name a suite for a reader; made-up universes are called mock."""
    return f"{suite} (mock)" if camels.find_suite(suite).mock else suite


def _maps_title(field: str, suite: str) -> str:
    return f"{' + '.join(field.split('_'))} of {suite_title(suite)}"


def _test_title(field: str, suite: str, tested_on: Selection | None) -> str:
    if tested_on is None or (tested_on.suite, tested_on.sim_set) == (suite, "LH"):
        return _maps_title(field, suite)
    where = _maps_title(tested_on.field, tested_on.suite)
    return f"Trained on {_maps_title(field, suite)}\ntested on {where}, {tested_on.sim_set}"


# ---- true against predicted ----


@mpl.rc_context(_STYLE)
def true_against_predicted(
    results: Results,
    suite: str,
    field: str,
    tested_on: Selection | None = None,
    *,
    n_orientations: int = 1,
) -> Figure:
    """Draw posterior means against the truth, one panel a parameter, pulls underneath.

    Parameters
    ----------
    results : Results
        What was inferred of the test maps, rows ordered (orientation, simulation, map).
    suite, field : str
        What the network was trained on, for the title.
    tested_on : Selection, optional
        What it was tested on, for the title, if another suite or set.
    n_orientations : int, optional
        In how many orientations each map is; 8 in the benchmark.

    Returns
    -------
    figure : Figure
        One point a map, with 1 sigma error bars: its orientations are combined by
        `average_orientations`. More than `MAX_POINTS` are thinned evenly. R2, RMSE and chi2 are of
        all rows, as in `score_results`. The caption says so. The lower panels show (mean - truth) /
        sigma with bands of 1 and 2 sigma.

    Raises
    ------
    ValueError
        If the rows are not each map in `n_orientations` orientations.
    """
    metrics = score_results(results)
    points = average_orientations(results, n_orientations)
    rows = _thin(len(points))
    figure, panels = _panels(len(results.inferred))
    for name, (means, pulls) in zip(results.inferred, panels, strict=True):
        _draw_means(means, points, rows, name)
        _draw_numbers(means, metrics, name)
        _draw_pulls(pulls, points, rows, name)
    figure.suptitle(_test_title(field, suite, tested_on))
    caption = _caption(len(rows), len(points), n_orientations)
    figure.supxlabel(caption, fontsize=7.5, color="0.35")
    return _finish(figure)


def _panels(n_panels: int) -> tuple[Figure, list[tuple[Axes, Axes]]]:
    """Make a figure with two axes a panel, one above the other and three times as high."""
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
            lower.set_ylabel(r"Error / $\sigma$")
        if number >= n_panels:
            upper.set_axis_off()
            lower.set_axis_off()
    figure.align_ylabels()
    return figure, pairs[:n_panels]


def _thin(n_rows: int) -> Int[np.ndarray, " R"]:
    """At most `MAX_POINTS` rows, evenly spaced, first and last among them."""
    return np.linspace(0, n_rows - 1, min(n_rows, MAX_POINTS)).round().astype(np.int64)


def _caption(n_shown: int, n_all: int, n_orientations: int) -> str:
    thinned = n_shown < n_all
    shown = rf"Bars: 1$\sigma$. Shown: {n_shown:,} of {n_all:,} maps"
    lines = [f"{shown}, evenly thinned." if thinned else f"{shown}."]
    if n_orientations > 1:
        lines.append(
            f"Points: mean of {n_orientations} orientations; numbers: all {n_orientations}."
        )
    elif thinned:
        lines.append("Numbers: all maps.")
    return "\n".join(lines)


def _draw_means(ax: Axes, results: Results, rows: Int[np.ndarray, " R"], name: str) -> None:
    column = camels.PARAMETER_NAMES.index(name)
    truth, mean = results.theta[rows, column], results.mean[rows, column]
    limits = _padded(min(truth.min(), mean.min()), max(truth.max(), mean.max()))
    ax.plot(limits, limits, color=BLACK, linewidth=0.8, zorder=3)
    ax.errorbar(
        truth, mean, results.std[rows, column], fmt="o", color=BLUE,
        markersize=1.8, elinewidth=0.5, alpha=0.6,
    )  # fmt: skip
    # room above the points for the numbers
    top = limits[1] + 0.2 * (limits[1] - limits[0])
    ax.set(xlim=limits, ylim=(limits[0], top), title=camels.PARAMETERS[column].label)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))


def _padded(lower: float, upper: float) -> tuple[float, float]:
    padding = 0.06 * (upper - lower) or 0.06 * abs(upper) or 1.0
    return float(lower - padding), float(upper + padding)


def _draw_numbers(ax: Axes, metrics: Metrics, name: str) -> None:
    numbers = [rf"$\chi^2 = {metrics['chi2'][name]:.2f}$"]
    if name in metrics["R2"]:  # undefined if the parameter does not vary
        numbers.insert(0, f"$R^2 = {metrics['R2'][name]:.3f}$")
    text = f"{',  '.join(numbers)}\nRMSE$\\,= {metrics['RMSE'][name]:.3g}$"
    ax.text(
        0.04, 0.97, text, transform=ax.transAxes, va="top", fontsize=8, zorder=4,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1.0},
    )  # fmt: skip


def _draw_pulls(ax: Axes, results: Results, rows: Int[np.ndarray, " R"], name: str) -> None:
    column = camels.PARAMETER_NAMES.index(name)
    truth = results.theta[rows, column]
    pulls = (results.mean[rows, column] - truth) / results.std[rows, column]
    for sigmas in (2, 1):
        ax.axhspan(-sigmas, sigmas, color=ORANGE, alpha=0.22, linewidth=0)
    ax.axhline(0, color=BLACK, linewidth=0.8)
    ax.plot(truth, pulls, "o", color=BLUE, markersize=1.8, alpha=0.6, markeredgewidth=0)
    limit = max(3.6, 1.1 * float(np.abs(pulls).max()))
    ax.set(ylim=(-limit, limit), xlabel="True value")
    ax.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10], symmetric=True))


# ---- training ----


@mpl.rc_context(_STYLE)
def loss_curves(losses: Mapping[int, Losses], best_trial: int, suite: str, field: str) -> Figure:
    """Draw the losses of the best trial and the validation losses of the others.

    Parameters
    ----------
    losses : mapping of int to (E, 4) float
        Trial -> epoch, training, validation and test loss, one row an epoch.
    best_trial : int
        Which one is drawn in full.
    suite, field : str
        What the networks were trained on, for the title.

    Returns
    -------
    figure : Figure
        The vertical range is the best trial's; worse epochs of the others may leave it.

    Raises
    ------
    ValueError
        If the best trial is missing or a trial has no epoch.
    """
    if best_trial not in losses:
        raise ValueError(f"best_trial: expected one of {sorted(losses)}, got {best_trial}")
    for trial, history in losses.items():
        if len(history) == 0:
            raise ValueError(f"losses: expected at least one epoch, got none in trial {trial}")
    figure = Figure(figsize=(COLUMN_WIDTH * 1.35, COLUMN_WIDTH), layout="constrained")
    ax = figure.subplots()
    _draw_others(ax, [losses[trial] for trial in losses if trial != best_trial])
    _draw_best(ax, losses[best_trial], best_trial)
    ax.set(xlabel="Epoch", ylabel="Loss", title=_maps_title(field, suite))
    ax.set_ylim(_loss_limits(losses, best_trial))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.legend(loc="upper right")
    return _finish(figure)


def _draw_others(ax: Axes, others: Sequence[Losses]) -> None:
    for number, history in enumerate(others):
        label = f"other trials ({len(others)}), validation" if number == 0 else None
        ax.plot(history[:, 0], history[:, 2], color=GREY, linewidth=0.6, alpha=0.6, label=label)


def _draw_best(ax: Axes, history: Losses, trial: int) -> None:
    marker = "o" if len(history) == 1 else None  # a line of one point is invisible
    styles = (
        ("training", BLUE, "-"), ("validation", VERMILION, "-"), ("test", GREEN, "--"),
    )  # fmt: skip
    for column, (name, color, line) in enumerate(styles, start=1):
        label = f"trial {trial}, {name}"
        ax.plot(history[:, 0], history[:, column], line, color=color, marker=marker, label=label)
    best = int(np.argmin(history[:, 2]))
    ax.plot(
        history[best, 0], history[best, 2], "*", color=VERMILION, markersize=9,
        markeredgecolor=BLACK, markeredgewidth=0.5, zorder=4,
        label=f"lowest validation loss, ${history[best, 2]:.2f}$",
    )  # fmt: skip


def _loss_limits(losses: Mapping[int, Losses], best_trial: int) -> tuple[float, float]:
    best = losses[best_trial][:, 1:]
    lowest = min(float(history[:, 2].min()) for history in losses.values())
    return _padded(min(lowest, float(best.min())), float(best.max()))


@mpl.rc_context(_STYLE)
def best_losses(values: Mapping[int, float], suite: str, field: str) -> Figure:
    """Draw the best validation loss of every trial, where no losses of its epochs are at hand.

    Parameters
    ----------
    values : mapping of int to float
        Trial -> its value in the study.
    suite, field : str
        What the networks were trained on, for the title.

    Returns
    -------
    figure : Figure
    """
    best = min(values, key=values.__getitem__)
    figure = Figure(figsize=(COLUMN_WIDTH * 1.35, COLUMN_WIDTH), layout="constrained")
    ax = figure.subplots()
    ax.plot(list(values), list(values.values()), "o", color=GREY, markersize=3, label="trials")
    ax.plot(
        best, values[best], "*", color=VERMILION, markersize=9, markeredgecolor=BLACK,
        markeredgewidth=0.5, label=f"trial {best}, ${values[best]:.2f}$",
    )  # fmt: skip
    ax.set(xlabel="Trial", ylabel="Lowest validation loss", title=_maps_title(field, suite))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.legend(loc="upper right")
    return _finish(figure)


# ---- maps ----


@mpl.rc_context(_STYLE)
def maps_mosaic(maps: Maps, titles: Sequence[str], field: str, suite: str) -> Figure:
    """Draw maps of one field side by side on one logarithmic colour scale.

    Parameters
    ----------
    maps : (N, L, L) float32
        As published: physical units, not logarithms.
    titles : sequence of str
        One a map, such as its parameters.
    field, suite : str
        As in `camels`; they give the unit and the figure's title.

    Returns
    -------
    figure : Figure
        Colours span the 0.1th to the 99.9th percentile of the pixels above zero; zeros (Mstar)
        have the darkest. The bar in the first map is 5 Mpc/h long.

    Raises
    ------
    ValueError
        If there is no map, titles and maps differ in number, or no pixel is above zero.
    """
    if len(maps) == 0 or len(titles) != len(maps):
        raise ValueError(f"titles: expected one for each of >= 1 maps, got {len(titles)}")
    figure, axes = _map_grid(len(maps), right=0.9)
    norm = _log_norm(maps)
    for ax, one_map, title in zip(axes.flat, maps, titles, strict=False):
        image = _draw_map(ax, one_map, title, norm)
    _draw_scale_bar(axes[0, 0])
    label = f"{camels.FIELDS[field].quantity.capitalize()} [{_unit(field)}]"
    figure.colorbar(image, ax=axes, label=label, extend="both", pad=0.02, aspect=30)
    figure.suptitle(_maps_title(field, suite))
    return _finish(figure)


@mpl.rc_context(_STYLE)
def fields_mosaic(maps: Mapping[str, Map], suite: str, *, logarithmic: bool = False) -> Figure:
    """Draw one map of each field, coloured from its 0.1th to its 99.9th percentile.

    Parameters
    ----------
    maps : mapping of str to (L, L) float32
        Field -> a map of it.
    suite : str
        As in `camels`, for the title.
    logarithmic : bool, optional
        The maps are logarithms already, as preprocessing leaves them; otherwise they are physical
        and the colours are logarithmic.

    Raises
    ------
    ValueError
        If there is no field, or a physical map has no pixel above zero.
    """
    if not maps:
        raise ValueError("maps: expected a map of at least one field, got none")
    figure, axes = _map_grid(len(maps), below=0.4)
    for ax, (field, one_map) in zip(axes.flat, maps.items(), strict=False):
        norm = Normalize(*_percentiles(one_map)) if logarithmic else _log_norm(one_map)
        image = _draw_map(ax, one_map, _log_title(field) if logarithmic else field, norm)
        bar = figure.colorbar(
            image, ax=ax, label=_unit(field), location="bottom", extend="both", pad=0.02, aspect=25
        )
        _thin_ticks(bar)
    _draw_scale_bar(axes[0, 0])
    figure.suptitle(suite_title(suite))
    return _finish(figure)


def _thin_ticks(bar: Colorbar) -> None:
    """Label a logarithmic bar at the decades, or at 1, 2 and 5 where it spans little more than one."""
    if not isinstance(bar.norm, LogNorm):
        bar.locator = MaxNLocator(3)
        return
    lower, upper = bar.ax.get_xlim()
    if upper < 30 * lower:
        bar.locator = LogLocator(subs=(1.0, 2.0, 5.0))
        bar.formatter = LogFormatterSciNotation(labelOnlyBase=False, minor_thresholds=(9, 9))
    bar.ax.xaxis.set_minor_formatter(NullFormatter())


def _map_grid(n_maps: int, *, right: float = 0.0, below: float = 0.0) -> tuple[Figure, np.ndarray]:
    """Make a figure of at most four maps a row, rows as equal as can be.

    `right` of all maps and `below` each [inch] is room for colour bars.
    """
    n_rows = -(-n_maps // 4)
    n_columns = -(-n_maps // n_rows)
    title = 0.25  # [inch]
    panel = (PAGE_WIDTH - right) / max(n_columns, 3)
    size = (panel * n_columns + right, (panel + title + below) * n_rows + title)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(n_rows, n_columns, squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    return figure, axes


def _log_norm(maps: np.ndarray) -> Normalize:
    """Scale logarithmically, but linearly what spans less than a factor of 3, such as MgFe."""
    positive = maps[maps > 0]
    if positive.size == 0:
        raise ValueError("maps: expected a pixel > 0 for the logarithmic scale, got none")
    lower, upper = _percentiles(positive)
    if lower == upper:  # constant maps, which a test or an empty field gives
        lower, upper = lower / 2, upper * 2
    return LogNorm(lower, upper) if upper > 3 * lower else Normalize(lower, upper)


def _percentiles(pixels: np.ndarray) -> tuple[float, float]:
    lower, upper = np.percentile(pixels, (0.1, 99.9))
    return float(lower), float(upper)


def _draw_map(ax: Axes, one_map: np.ndarray, title: str, norm: Normalize) -> AxesImage:
    # a logarithmic scale masks zeros; they belong at its dark end
    colors = mpl.colormaps["inferno"].with_extremes(bad=mpl.colormaps["inferno"](0.0))
    ax.set_title(title)
    extent = (0.0, camels.BOX_SIZE, 0.0, camels.BOX_SIZE)
    return ax.imshow(
        one_map, norm=norm, cmap=colors, extent=extent, origin="lower", interpolation="nearest"
    )


def _draw_scale_bar(ax: Axes) -> None:
    length = camels.BOX_SIZE / camels.N_SLABS
    outline = [patheffects.withStroke(linewidth=2.5, foreground="black")]
    ax.plot([1.5, 1.5 + length], [1.5, 1.5], color="white", linewidth=1.5, path_effects=outline)
    ax.text(
        1.5 + length / 2, 2.2, rf"{length:g} Mpc/$h$", color="white", fontsize=8,
        ha="center", va="bottom", path_effects=outline,
    )  # fmt: skip


def _log_title(field: str) -> str:
    plus_one = camels.FIELDS[field].transform == "log10(1+x)"
    return rf"$\log_{{10}}$ (1 + {field})" if plus_one else rf"$\log_{{10}}$ {field}"


def _unit(field: str) -> str:
    unit = camels.FIELDS[field].unit
    return _UNITS.get(unit, unit)


def _finish(figure: Figure) -> Figure:
    """Lay the figure out while the style holds: matplotlib makes tick labels at first drawing."""
    figure.draw_without_rendering()
    return figure
