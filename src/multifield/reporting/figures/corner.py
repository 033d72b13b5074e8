"""Joint posteriors: corner plots, and contours of many maps. GetDist estimates the densities."""

import itertools
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from getdist import MCSamples
from getdist.densities import Density2D
from jaxtyping import Int
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from multifield import camels
from multifield.camels.selection import Selection
from multifield.evaluation.draws import Draws, central_simulation
from multifield.evaluation.joint import prior_ranges
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
    padded,
    set_ticks,
    styled,
    symbol,
    test_title,
)

LEVELS = (0.68, 0.95)
MAX_NAMES = 6
"""Largest number of parameters in a triangle. Panels of more would be too small to read."""
MAX_CONTOURS = 30
"""Largest number of contours in one panel. More would overlap."""

# GetDist's grid of 256 cells per side takes 0.4 s per panel; contours look the same with 128
GRID = {"fine_bins_2D": 128}
GRID_OF_THIN = {"fine_bins_2D": 64, "mult_bias_correction_order": 0}

_COLORS = (BLUE, ORANGE, GREEN, VERMILION)
_SHADED = "0.93"  # outside the prior


@styled
def corner(
    posteriors: Mapping[str, Draws],
    suite: str,
    field: str,
    tested_on: Selection | None = None,
    *,
    thin: Draws | None = None,
) -> Figure:
    """Draw posteriors of maps for each pair of parameters, in a triangle of panels.

    Parameters
    ----------
    posteriors : mapping of str to Draws
        Label -> draws from the posterior of one map. The parameters that all have are drawn, at
        most the `MAX_NAMES` with the smallest standard deviation relative to the prior.
    suite, field : str
        Suite and fields of the training maps, for the title.
    tested_on : Selection, optional
        Test maps, for the title if they are of another suite or set.
    thin : Draws, optional
        Posteriors of several maps, such as those of one simulation, drawn as thin grey lines.

    Returns
    -------
    figure : Figure
        Panels below the diagonal show regions of highest density of 68% and 95%, those on it the
        marginal density, scaled to its maximum. Black lines mark the truth, if known. Grey areas
        are outside the prior.

    Raises
    ------
    ValueError
        If the posteriors have no parameter in common, or one is of several maps.
    """
    everything = [*posteriors.values(), *([] if thin is None else [thin])]
    names = [
        n for n in everything[0].parameters if all(n in each.parameters for each in everything)
    ]
    if not names:
        raise ValueError("posteriors: Expected a common parameter, got none.")
    names = _best_known(names, everything[0])
    for label, each in posteriors.items():
        if len(each) != 1:
            raise ValueError(f"{label}: Expected draws of one map, got {len(each)}.")
    width = min(PAGE_WIDTH, max(COLUMN_WIDTH, 1.5 * len(names)))
    figure = Figure(figsize=(width, width + 0.5), layout="constrained")
    axes = figure.subplots(len(names), len(names), squeeze=False)
    _frame(axes, names, everything)
    lines = (
        []
        if thin is None
        else [_samples(thin, number, GRID_OF_THIN) for number in range(len(thin))]
    )
    for samples in lines:
        _draw_triangle(axes, names, samples, GREY, filled=False)
    for each, color in zip(posteriors.values(), _cycle(len(posteriors)), strict=True):
        _draw_triangle(axes, names, _samples(each), color, filled=True)
    _mark_truth(axes, names, everything[0])
    handles = [
        *(
            Line2D([], [], color=color, label=label, linewidth=3)
            for label, color in zip(posteriors, _cycle(len(posteriors)), strict=True)
        ),
        *([Line2D([], [], color=GREY, linewidth=0.6, label=f"{len(lines)} maps")] if lines else []),
        *(
            [Line2D([], [], color=BLACK, linewidth=0.8, label="Truth")]
            if everything[0].known
            else []
        ),
    ]
    figure.suptitle(_corner_title(suite, field, tested_on))
    figure.legend(handles=handles, loc="outside lower center", ncols=min(3, len(handles)))
    return finish(figure)


def corner_of_simulation(
    draws: Draws, suite: str, field: str, tested_on: Selection | None = None
) -> Figure:
    """Draw the posteriors of the maps of one simulation, in the center of the prior.

    Parameters
    ----------
    draws : Draws
        Draws from the posteriors of test maps, with known truth.
    suite, field : str
        Suite and fields of the training maps, for the title.
    tested_on : Selection, optional
        Test maps, for the title if they are of another suite or set.

    Returns
    -------
    figure : Figure
        The first map of the simulation, and all its maps as thin lines; see `corner`.
    """
    rows = central_simulation(draws)
    first = {f"Map {rows[0]}": draws.take(rows[:1])}
    return corner(first, suite, field, tested_on, thin=draws.take(rows))


@styled
def contours_of_maps(
    draws: Draws,
    suite: str,
    field: str,
    tested_on: Selection | None = None,
    *,
    level: float = 0.68,
) -> Figure:
    """Draw the contour of each map in the plane of the first two parameters.

    Parameters
    ----------
    draws : Draws
        Draws from the posterior of each map.
    suite, field : str
        Suite and fields of the training maps, for the title.
    tested_on : Selection, optional
        Test maps, for the title if they are of another suite or set.
    level : float, optional
        Posterior probability inside a contour.

    Returns
    -------
    figure : Figure
        One contour per map over the latin hypercube, of at most `MAX_CONTOURS` maps. If the truth is
        known, each simulation has one map. A cross of the same color is the truth, if
        known.
    """
    names = draws.parameters[:2]
    draws = draws.take(spread(draws.truth))
    figure = Figure(figsize=(0.75 * PAGE_WIDTH, 0.7 * PAGE_WIDTH), layout="constrained")
    ax = figure.subplots()
    for number, color in enumerate(_cycle(len(draws))):
        density = _density(_samples(draws, number), *names)
        levels = [density.getContourLevels([level])[0], np.inf]
        ax.contourf(density.x, density.y, density.P, levels, colors=[to_rgba(color, 0.1)])
        ax.contour(density.x, density.y, density.P, levels[:1], colors=color, linewidths=0.8)
        if len(draws.known) >= 2:
            x, y = draws.truth[number, :2]
            ax.plot(x, y, "x", color=color, markersize=5, markeredgewidth=1.2, zorder=4)
    limits = [_limits([draws], name) for name in names]
    bounds = [padded(*_bounds(draws.space[name])) for name in names]
    (low, high), (bottom, top) = (
        (min(a[0], b[0]), max(a[1], b[1])) for a, b in zip(limits, bounds, strict=True)
    )
    ax.set(
        xlim=(low, high),
        ylim=(bottom, top),
        xlabel=symbol(names[0], draws.space),
        ylabel=symbol(names[1], draws.space),
    )
    _shade(ax, *(draws.space[name] for name in names))
    set_ticks(ax)
    marks = " Crosses: truth." if draws.known else ""
    figure.suptitle(test_title(field, suite, tested_on))
    figure.supxlabel(
        f"Posteriors of {len(draws)} maps: regions of {100 * level:.3g}%.{marks} "
        "White: latin hypercube.",
        fontsize=7.5,
        color="0.35",
    )
    return finish(figure)


def spread(truth: np.ndarray, n_shown: int = MAX_CONTOURS) -> Int[np.ndarray, " R"]:
    """Choose evenly spaced maps, one per simulation if the truth is known.

    Parameters
    ----------
    truth : (N, P) float
        True parameters, which are the same for the maps of a simulation. NaN where unknown.
    n_shown : int, optional
        Largest number of chosen maps.

    Returns
    -------
    rows : (R,) int64
        Numbers of the maps.
    """
    rows = np.arange(len(truth))
    if not np.isnan(truth).any():
        rows = np.sort(np.unique(truth, axis=0, return_index=True)[1])
    n = min(len(rows), n_shown)
    return rows[(np.arange(n) * len(rows)) // n]


# ---- panels ----


def _frame(axes: np.ndarray, names: list[str], everything: list[Draws]) -> None:
    """Set limits, labels and ticks of the panels, and hide those above the diagonal."""
    n, space = len(names), everything[0].space
    for row, column in itertools.product(range(n), range(n)):
        ax: Axes = axes[row, column]
        if column > row:
            ax.set_axis_off()
            continue
        ax.set_xlim(_limits(everything, names[column]))
        if row == column:
            ax.set(ylim=(0, 1.08), yticks=[])
            _shade(ax, space[names[column]])
        else:
            ax.set_ylim(_limits(everything, names[row]))
            _shade(ax, space[names[column]], space[names[row]])
        set_ticks(ax, 3, 3)
        if row == column:
            ax.set_yticks([])
        ax.tick_params(labelbottom=row == n - 1, labelleft=column == 0 and row > 0)
        if row == n - 1:
            ax.set_xlabel(symbol(names[column], space))
        if column == 0 and row > 0:
            ax.set_ylabel(symbol(names[row], space))


def _draw_triangle(
    axes: np.ndarray, names: list[str], samples: MCSamples, color: str, *, filled: bool
) -> None:
    width = 1.0 if filled else 0.5
    for row, y in enumerate(names):
        with _without_advice():
            marginal = samples.get1DDensity(y)
        axes[row, row].plot(marginal.x, marginal.P, color=color, linewidth=width)
        for column, x in enumerate(names[:row]):
            ax, density = axes[row, column], _density(samples, x, y)
            edges = sorted(density.getContourLevels(list(LEVELS) if filled else LEVELS[:1]))
            if filled:
                fills = [to_rgba(color, 0.25), to_rgba(color, 0.55)]
                ax.contourf(density.x, density.y, density.P, [*edges, np.inf], colors=fills)
            ax.contour(density.x, density.y, density.P, edges, colors=color, linewidths=width)


def _mark_truth(axes: np.ndarray, names: list[str], draws: Draws) -> None:
    """Mark the truth of the first map."""
    known = {name: float(values[0]) for name, values in draws.known.items()}
    style = {"color": BLACK, "linewidth": 0.8, "zorder": 4}
    for row, y in enumerate(names):
        for column, x in enumerate(names[: row + 1]):
            ax = axes[row, column]
            if x in known:
                ax.axvline(known[x], **style)
            if y in known and row != column:
                ax.axhline(known[y], **style)
            if {x, y} <= known.keys() and row != column:
                ax.plot(known[x], known[y], "s", color=BLACK, markersize=2.5, zorder=5)


def _best_known(names: list[str], draws: Draws) -> list[str]:
    """Choose the parameters whose draws are narrowest relative to the prior, in their order."""
    _, width = prior_ranges(tuple(names), draws.space)
    columns = [draws.parameters.index(name) for name in names]
    share = draws.theta[:, :, columns].std(axis=1).mean(axis=0) / width
    kept = set(np.argsort(share, kind="stable")[:MAX_NAMES].tolist())
    return [name for place, name in enumerate(names) if place in kept]


def _samples(draws: Draws, number: int = 0, grid: Mapping[str, int] = GRID) -> MCSamples:
    samples = draws.to_getdist(number)
    samples.updateSettings(dict(grid))
    return samples


def _density(samples: MCSamples, x: str, y: str) -> Density2D:
    with _without_advice():
        density: Density2D = samples.get2DDensity(x, y)
    return density


@contextmanager
def _without_advice() -> Iterator[None]:
    """Drop GetDist's warnings of its smoothing, a line or more per panel.

    Mixtures of narrow posteriors, such as those of a network that is hardly trained, are smoothed
    by its fallback width. Users cannot change the settings that the warnings name.
    """

    def is_wanted(record: logging.LogRecord) -> bool:
        return "getdist" not in Path(record.pathname).parts

    root = logging.getLogger()  # GetDist has no logger of its own
    root.addFilter(is_wanted)
    try:
        yield
    finally:
        root.removeFilter(is_wanted)


def _bounds(parameter: camels.Parameter) -> tuple[float, float]:
    return parameter.minimum, parameter.maximum


def _limits(everything: list[Draws], name: str) -> tuple[float, float]:
    """Return limits of an axis: nearly all draws, and the truth."""
    values = []
    for draws in everything:
        column = draws.parameters.index(name)
        values += [*np.quantile(draws.theta[:, :, column], [0.001, 0.999], axis=1).ravel()]
        values += [*draws.truth[:, column]]
    return padded(float(np.nanmin(values)), float(np.nanmax(values)))


def _shade(ax: Axes, x: camels.Parameter, y: camels.Parameter | None = None) -> None:
    """Shade what is outside the prior. The limits of the axes are set before."""
    left, right = ax.get_xlim()
    low, high = _bounds(x)
    style: dict[str, Any] = {"color": _SHADED, "linewidth": 0, "zorder": 0}
    for first, last in ((left, min(low, right)), (max(high, left), right)):
        if first < last:
            ax.axvspan(first, last, **style)
    if y is None:
        return
    bottom, top = ax.get_ylim()
    low, high = _bounds(y)
    for first, last in ((bottom, min(low, top)), (max(high, bottom), top)):
        if first < last:
            ax.axhspan(first, last, **style)


def _cycle(n: int) -> list[str]:
    return [_COLORS[number % len(_COLORS)] for number in range(n)]


def _corner_title(suite: str, field: str, tested_on: Selection | None) -> str:
    title = test_title(field, suite, tested_on)
    return title if "\n" in title else f"Trained on {maps_title(field, suite)}"
