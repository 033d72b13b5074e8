"""Posterior means and standard deviations of maps with unknown parameters."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from multifield.evaluation.results import Results
from multifield.reporting.figures.style import (
    BLUE,
    GREY,
    PAGE_WIDTH,
    finish,
    in_order,
    maps_title,
    styled,
)

MAX_MAPS = 150  # per panel; more error bars would overlap
ROW_HEIGHT = 1.3  # [inch] per parameter


@styled
def posterior_of_maps(results: Results, suite: str, field: str) -> Figure:
    """Draw mean and standard deviation of each map, one panel per parameter.

    Parameters
    ----------
    results : Results
        Posteriors, one row per map. The truth is ignored.
    suite, field : str
        Suite and fields of the training maps, for the title.

    Returns
    -------
    figure : Figure
        Error bars are one standard deviation. The first `MAX_MAPS` maps are shown. Dashed lines are
        the bounds of CMD's latin hypercube, if inside the axes.
    """
    n, names = min(len(results), MAX_MAPS), in_order(results)
    figure = Figure(figsize=(PAGE_WIDTH, ROW_HEIGHT * len(names) + 0.7), layout="constrained")
    axes = figure.subplots(len(names), 1, squeeze=False, sharex=True)[:, 0]
    for ax, name in zip(axes, names, strict=True):
        _, mean, std = results.take(slice(n)).of(name)
        parameter = results.space[name]
        ax.errorbar(
            np.arange(n), mean, std, fmt="o", color=BLUE, markersize=1.8, elinewidth=0.6
        )  # fmt: skip
        limits = ax.get_ylim()
        for bound in (parameter.minimum, parameter.maximum):
            ax.axhline(bound, color=GREY, linewidth=0.6, linestyle="--")
        ax.set(ylim=limits, ylabel=parameter.axis_label)
        ax.yaxis.set_major_locator(MaxNLocator(4))
    axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    of_all = f" (first {n} of {len(results):,})" if n < len(results) else ""
    axes[-1].set_xlabel(f"Map number{of_all}")
    figure.align_ylabels(axes)
    figure.suptitle(f"Posteriors of maps. Trained on {maps_title(field, suite)}")
    return finish(figure)
