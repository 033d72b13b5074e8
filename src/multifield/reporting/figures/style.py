"""Style of all figures: widths of a journal page, color-blind safe colors, titles."""

import re
from collections.abc import Callable
from functools import wraps
from threading import RLock
from typing import Any, ParamSpec

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from scipy import stats

from multifield import camels
from multifield.camels.selection import Selection
from multifield.evaluation.joint import prior_ranges
from multifield.evaluation.results import Results

BLACK, ORANGE, BLUE = "#000000", "#E69F00", "#0072B2"  # Okabe & Ito 2008
GREEN, VERMILION, GREY = "#009E73", "#D55E00", "#8C8C8C"
PAGE_WIDTH = 7.0
"""Width of both columns of a journal page [inch]."""
COLUMN_WIDTH = 3.4
"""Width of one column [inch]."""
LONGEST_LINE = 14  # characters of a name
LOG10 = 6  # characters of the prefix of a logarithm
PULL_LIMIT = 4.0
"""Limit of the axes of pulls. Larger pulls are counted in the outermost bins."""

STYLE: dict[Any, object] = {
    "font.family": "STIXGeneral",  # part of matplotlib, so the same everywhere
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
    # a page is 1,120 pixels wide; PNG use the same dpi, since mathtext is parsed again for another
    "figure.dpi": 160,
}

ONE_AT_A_TIME = RLock()  # matplotlib has one global style for all threads
Arguments = ParamSpec("Arguments")


def styled(draw: Callable[Arguments, Figure]) -> Callable[Arguments, Figure]:
    """Make a function draw in this style, one figure at a time.

    Parameters
    ----------
    draw : callable
        Function that returns a figure.

    Returns
    -------
    drawn : callable
        The same function, safe to call from several threads (Kedro's ThreadRunner).
    """

    @wraps(draw)
    def drawn(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Figure:
        with ONE_AT_A_TIME, mpl.rc_context(STYLE):
            return draw(*args, **kwargs)

    return drawn


def symbol(parameter: str, space: camels.ParameterSpace = camels.CMD) -> str:
    """Give the symbol of the coordinate of a parameter, for labels. Long names have several lines."""
    found = space[parameter]
    if found.label != found.name:
        return found.axis_label
    words = re.findall(r"[A-Z]*[a-z0-9]*_?", found.name)
    lines, prefix = [""], found.axis_label.removesuffix(found.name)
    for word in words:
        taken = LOG10 if prefix and len(lines) == 1 else 0
        if (lines[-1] or taken) and taken + len(lines[-1] + word) > LONGEST_LINE:
            lines.append("")
        lines[-1] += word
    return prefix + "\n".join(lines)


def in_order(results: Results) -> tuple[str, ...]:
    """Order parameters for panels: CMD's as they are, others with most information first."""
    if results.space.published == camels.CMD:
        return results.inferred
    _, width = prior_ranges(results.inferred, results.space)
    share = results.std[:, results.columns].mean(axis=0) / width
    return tuple(results.inferred[place] for place in np.argsort(share, kind="stable"))


def suite_title(suite: str) -> str:
    """Format the name of a suite, with "(mock)" for mock suites.

    Parameters
    ----------
    suite : str
        Name of the suite, or ``<suite>@<set>``.

    Returns
    -------
    title : str
        Name for titles.
    """
    return f"{suite} (mock)" if camels.find_suite(suite.partition("@")[0]).mock else suite


def maps_title(field: str, suite: str) -> str:
    """Format the names of fields and suite. An empty suite stands for unknown maps, named `field`."""
    if not suite:
        return field
    return f"{' + '.join(field.split('_'))} of {suite_title(suite)}"


def test_title(field: str, suite: str, tested_on: Selection | None) -> str:
    """Format the names of the training maps and, if they differ, of the test maps."""
    if tested_on is None or (tested_on.suite, tested_on.sim_set) == (suite, "LH"):
        return maps_title(field, suite)
    where = maps_title(tested_on.field, tested_on.suite)
    return f"Trained on {maps_title(field, suite)}\ntested on {where}, {tested_on.sim_set}"


def padded(lower: float, upper: float) -> tuple[float, float]:
    """Widen a range by 6% per side, and give a single value a width."""
    padding = 0.06 * (upper - lower) or 0.06 * abs(upper) or 1.0
    return float(lower - padding), float(upper + padding)


def set_ticks(ax: Axes, n_x: int = 5, n_y: int = 4) -> None:
    """Put about so many round ticks on the axes."""
    ax.xaxis.set_major_locator(MaxNLocator(n_x, steps=[1, 2, 5, 10]))
    ax.yaxis.set_major_locator(MaxNLocator(n_y, steps=[1, 2, 5, 10]))


def draw_pulls(ax: Axes, pulls: np.ndarray, **style: Any) -> None:
    """Draw the distribution of pulls beside a unit Gaussian."""
    clipped = np.clip(pulls, -PULL_LIMIT, PULL_LIMIT)
    bins = np.linspace(-PULL_LIMIT, PULL_LIMIT, 25).tolist()
    ax.hist(clipped, bins, density=True, **style)
    grid = np.linspace(-PULL_LIMIT, PULL_LIMIT, 201)
    ax.plot(grid, stats.norm.pdf(grid), color=BLACK, linewidth=0.8, zorder=3)
    ax.set(xlim=(-PULL_LIMIT, PULL_LIMIT), ylim=(0, 1.05 * ax.dataLim.y1))


def add_legend(figure: Figure, ax: Axes, caption: str) -> None:
    """Put the legend of a panel and a caption below all panels.

    The caption is the legend's title: two texts below the panels would overlap.
    """
    handles = ax.get_legend_handles_labels()
    place: dict[str, Any] = {"loc": "outside lower center", "ncols": 3}
    legend = figure.legend(*handles, title=caption, title_fontsize=7.5, **place)
    legend.get_title().set_color("0.35")


def finish(figure: Figure) -> Figure:
    """Lay out the figure in this style: matplotlib makes tick labels when it first draws.

    The layout takes most of the time of a figure. Without it PNG and PDF would each repeat it.
    """
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    return figure
