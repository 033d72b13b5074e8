"""Coverage, PIT and pulls of posteriors, as inferred and recalibrated."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from multifield.camels.selection import Selection
from multifield.config.evaluation import BootstrapConfig
from multifield.evaluation.bootstrap import Resamples, Simulation
from multifield.evaluation.calibration import (
    Uniform,
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
    PULL_LIMIT,
    VERMILION,
    add_legend,
    draw_pulls,
    finish,
    in_order,
    set_ticks,
    styled,
    symbol,
    test_title,
)

ROW_HEIGHT = 1.9  # [inch] per parameter
N_BINS = 12
PIT_BINS = np.linspace(0, 1, N_BINS + 1).tolist()

_LABELS = {"as inferred": VERMILION, "recalibrated": BLUE}


@styled
def calibration(
    before: Results,
    after: Results | None,
    simulation: Simulation,
    bootstrap: BootstrapConfig,
    suite: str,
    field: str,
    tested_on: Selection | None = None,
) -> Figure:
    """Draw coverage, PIT and pulls, one row of panels per parameter.

    Parameters
    ----------
    before : Results
        Posteriors as inferred.
    after : Results or None
        Posteriors recalibrated with `multifield.evaluation.recalibrate`, if they are.
    simulation : (M,) int64
        Simulation number of each row.
    bootstrap : BootstrapConfig
        Number of resamples, seed and level of the bands.
    suite, field : str
        Suite and fields of the training maps, for the title. An empty suite makes `field` the
        title.
    tested_on : Selection, optional
        Test maps, for the title if they are of another suite or set.

    Returns
    -------
    figure : Figure
        Bands contain the share `bootstrap.level` of resamples of test simulations, with the
        recalibration factor fixed. The grey band is that of a uniform PIT. Pulls beyond 4 are
        counted in the outermost bins.
    """
    names = in_order(before)
    resamples = Resamples(simulation, bootstrap)
    size = (PAGE_WIDTH, ROW_HEIGHT * len(names) + 1.0)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(names), 3, squeeze=False)
    for (label, color), results in zip(_LABELS.items(), (before, after), strict=True):
        if results is None:
            continue
        step: dict[str, Any] = {"histtype": "step", "color": color, "linewidth": 1.2}
        below = probability_integral_transform(results).T
        for name, (coverage, pit, pull) in zip(names, axes, strict=True):
            uniform = below[results.inferred.index(name)]
            _draw_coverage(coverage, uniform, resamples, label, color)
            pit.hist(uniform, PIT_BINS, density=True, **step)
            if results is (after or before):
                _draw_chance(pit, uniform, resamples)
            draw_pulls(pull, pulls(results, name), **step)
    for name, (coverage, pit, pull) in zip(names, axes, strict=True):
        _finish_row(coverage, pit, pull, symbol(name, before.space))
    _finish_columns(axes)
    figure.suptitle(test_title(field, suite, tested_on))
    fixed = "" if after is None else ", recalibration factor fixed"
    caption = (
        f"Bands: {100 * bootstrap.level:g}% of resamples of test simulations{fixed}. "
        "Grey: a uniform PIT, by chance.\n"
        rf"Pulls beyond $\pm {PULL_LIMIT:g}$ are in the outermost bins."
    )
    add_legend(figure, axes[0, 0], caption)
    return finish(figure)


def _draw_coverage(ax: Axes, pit: Uniform, resamples: Resamples, label: str, color: str) -> None:
    curve = coverage_curve(central_levels(pit), resamples)
    ax.fill_between(curve.nominal, curve.low, curve.high, color=color, alpha=0.2, linewidth=0)
    ax.plot(curve.nominal, curve.empirical, color=color, label=label)


def _draw_chance(ax: Axes, pit: Uniform, resamples: Resamples) -> None:
    """Shade the densities that a uniform PIT would have by chance."""
    if resamples.n_simulations == 1:
        return
    in_bins = np.digitize(pit, PIT_BINS[1:-1])[:, None] == np.arange(N_BINS)
    per_simulation = np.stack([resamples.per_simulation(each) for each in in_bins.T], axis=1)
    drawn = N_BINS * (resamples.counts @ per_simulation) / resamples.sizes()[:, None]
    tail = (1 - resamples.config.level) / 2
    low, high = 1 + np.quantile(drawn - N_BINS * in_bins.mean(axis=0), [tail, 1 - tail], axis=0)
    edges = np.repeat(PIT_BINS, 2)[1:-1]
    ax.fill_between(
        edges, np.repeat(low, 2), np.repeat(high, 2), color=BLACK, alpha=0.1, linewidth=0
    )


def _finish_row(coverage: Axes, pit: Axes, pull: Axes, label: str) -> None:
    """Draw the ideal curves and label the parameter."""
    ideal: dict[str, Any] = {"color": BLACK, "linewidth": 0.8, "zorder": 3}
    coverage.plot([0, 1], [0, 1], label="ideal", **ideal)
    pit.axhline(1, **ideal)
    coverage.set_ylabel(f"{label}\nempirical coverage")
    coverage.set(xlim=(0, 1), ylim=(0, 1))
    pit.set(xlim=(0, 1), ylim=(0, None), ylabel="density")
    pull.set_ylabel("density")
    for ax in (coverage, pit, pull):
        set_ticks(ax)


def _finish_columns(axes: np.ndarray) -> None:
    titles = ("Coverage", "PIT", "Pulls")
    labels = ("Nominal coverage", "Posterior probability below truth", r"(mean $-$ truth) / std")
    for column, (title, label) in enumerate(zip(titles, labels, strict=True)):
        axes[0, column].set_title(title)
        axes[-1, column].set_xlabel(label)
        for ax in axes[:-1, column]:
            ax.tick_params(labelbottom=False)
