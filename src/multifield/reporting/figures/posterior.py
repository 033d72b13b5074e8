"""Posterior means and standard deviations of maps whose parameters are unknown."""

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from multifield import camels
from multifield.evaluation.results import Results
from multifield.reporting.figures.style import BLUE, GREY, PAGE_WIDTH, STYLE, finish, maps_title

MAX_MAPS = 150  # in a panel; error bars of more hide each other
ROW_HEIGHT = 1.3  # [inch] of a parameter


@mpl.rc_context(STYLE)
def posterior_of_maps(results: Results, suite: str, field: str) -> Figure:
    """Draw mean and standard deviation of each map, one panel per parameter.

    Parameters
    ----------
    results : Results
        One row per map; the truth is not looked at.
    suite, field : str
        What the network was trained on, for the title.

    Returns
    -------
    figure : Figure
        Bars are one standard deviation; the first `MAX_MAPS` maps are shown. Grey bounds are those of the
        latin hypercube of CMD, where they are in sight.
    """
    n, names = min(len(results), MAX_MAPS), results.inferred
    figure = Figure(figsize=(PAGE_WIDTH, ROW_HEIGHT * len(names) + 0.7), layout="constrained")
    axes = figure.subplots(len(names), 1, squeeze=False, sharex=True)[:, 0]
    for ax, name in zip(axes, names, strict=True):
        column = camels.PARAMETER_NAMES.index(name)
        mean, std = results.mean[:n, column], results.std[:n, column]
        ax.errorbar(
            np.arange(n), mean, std, fmt="o", color=BLUE, markersize=1.8, elinewidth=0.6
        )  # fmt: skip
        limits = ax.get_ylim()
        for bound in (camels.PARAMETERS[column].minimum, camels.PARAMETERS[column].maximum):
            ax.axhline(bound, color=GREY, linewidth=0.6, linestyle="--")
        ax.set(ylim=limits, ylabel=camels.PARAMETERS[column].label)
        ax.yaxis.set_major_locator(MaxNLocator(4))
    axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    of_all = f" (first {n} of {len(results):,})" if n < len(results) else ""
    axes[-1].set_xlabel(f"Map{of_all}")
    figure.align_ylabels(axes)
    figure.suptitle(f"Posterior of maps, by a network trained on {maps_title(field, suite)}")
    return finish(figure)
