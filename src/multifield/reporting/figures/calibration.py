"""Coverage, PIT and pulls of posteriors, as inferred and recalibrated."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from scipy import stats

from multifield import camels
from multifield.camels.selection import Selection
from multifield.config.evaluation import BootstrapConfig
from multifield.evaluation.bootstrap import Resamples, Simulation
from multifield.evaluation.calibration import (
    central_levels,
    coverage_curve,
    probability_integral_transform,
    pulls,
)
from multifield.evaluation.results import Results
from multifield.reporting.figures.style import (
    BLACK,
    BLUE,
    PAGE_WIDTH,
    VERMILION,
    finish,
    styled,
    test_title,
)

ROW_HEIGHT = 1.9  # [inch] per parameter
PIT_BINS = np.linspace(0, 1, 13)
PULL_LIMIT = 4.0  # larger pulls are counted in the outermost bins
PULL_BINS = np.linspace(-PULL_LIMIT, PULL_LIMIT, 25)
_LABELS = {"as inferred": VERMILION, "recalibrated": BLUE}


@styled
def calibration(
    before: Results,
    after: Results,
    simulation: Simulation,
    bootstrap: BootstrapConfig,
    suite: str,
    field: str,
    tested_on: Selection | None = None,
) -> Figure:
    """Draw coverage, PIT and pulls, one row of panels per parameter.

    Parameters
    ----------
    before, after : Results
        Posteriors as inferred, and recalibrated with `multifield.evaluation.recalibrate`.
    simulation : (M,) int64
        Simulation number of each row.
    bootstrap : BootstrapConfig
        Number of resamples, seed and level of the bands.
    suite, field : str
        Suite and fields of the training maps, for the title.
    tested_on : Selection, optional
        Test maps, for the title if they are of another suite or set.

    Returns
    -------
    figure : Figure
        Bands contain the share `bootstrap.level` of resamples of test simulations, with the
        recalibration factor fixed. Pulls beyond 4 are counted in the outermost bins.
    """
    names = before.inferred
    resamples = Resamples(simulation, bootstrap)
    size = (PAGE_WIDTH, ROW_HEIGHT * len(names) + 1.0)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(names), 3, squeeze=False)
    for name, (coverage, pit, pull) in zip(names, axes, strict=True):
        for (label, color), results in zip(_LABELS.items(), (before, after), strict=True):
            _draw_coverage(coverage, results, name, resamples, label, color)
            _draw_histogram(
                pit, probability_integral_transform(results, name), PIT_BINS, label, color
            )
            clipped = np.clip(pulls(results, name), -PULL_LIMIT, PULL_LIMIT)
            _draw_histogram(pull, clipped, PULL_BINS, label, color)
        _finish_row(coverage, pit, pull, name)
    _finish_columns(axes)
    figure.suptitle(test_title(field, suite, tested_on))
    # the caption is the legend's title: two texts below the panels would overlap
    legend = figure.legend(
        *axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3,
        title=_caption(bootstrap), title_fontsize=7.5,
    )  # fmt: skip
    legend.get_title().set_color("0.35")
    return finish(figure)


def _draw_coverage(
    ax: Axes, results: Results, name: str, resamples: Resamples, label: str, color: str
) -> None:
    curve = coverage_curve(central_levels(results, name), resamples)
    ax.fill_between(curve.nominal, curve.low, curve.high, color=color, alpha=0.2, linewidth=0)
    ax.plot(curve.nominal, curve.empirical, color=color, label=label)


def _draw_histogram(ax: Axes, values: np.ndarray, bins: np.ndarray, label: str, color: str) -> None:
    ax.hist(
        values,
        bins.tolist(),
        density=True,
        histtype="step",
        color=color,
        label=label,
        linewidth=1.2,
    )


def _finish_row(coverage: Axes, pit: Axes, pull: Axes, name: str) -> None:
    """Draw the ideal curves and label the parameter."""
    ideal: dict[str, Any] = {"color": BLACK, "linewidth": 0.8, "zorder": 3}
    coverage.plot([0, 1], [0, 1], label="ideal", **ideal)
    pit.axhline(1, **ideal)
    grid = np.linspace(-PULL_LIMIT, PULL_LIMIT, 201)
    pull.plot(grid, stats.norm.pdf(grid), **ideal)
    label = camels.PARAMETERS[camels.PARAMETER_NAMES.index(name)].label
    coverage.set_ylabel(f"{label}\nempirical coverage")
    coverage.set(xlim=(0, 1), ylim=(0, 1))
    pit.set(xlim=(0, 1), ylim=(0, None))
    pull.set(xlim=(-PULL_LIMIT, PULL_LIMIT), ylim=(0, None))
    for ax in (coverage, pit, pull):
        ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        ax.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))


def _finish_columns(axes: np.ndarray) -> None:
    titles = ("Coverage", "PIT", "Pulls")
    labels = ("Nominal coverage", "Posterior probability below truth", r"(mean $-$ truth) / std")
    for column, (title, label) in enumerate(zip(titles, labels, strict=True)):
        axes[0, column].set_title(title)
        axes[-1, column].set_xlabel(label)
        for ax in axes[:-1, column]:
            ax.tick_params(labelbottom=False)


def _caption(bootstrap: BootstrapConfig) -> str:
    return (
        f"Bands: {100 * bootstrap.level:g}% of resamples of test simulations, recalibration factor "
        rf"fixed. Pulls beyond $\pm {PULL_LIMIT:g}$ are in the outermost bins."
    )
