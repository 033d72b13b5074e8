"""Losses of the trials of a study."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from multifield.reporting.figures.style import (
    BLACK,
    BLUE,
    COLUMN_WIDTH,
    GREEN,
    GREY,
    VERMILION,
    finish,
    maps_title,
    padded,
    styled,
)
from multifield.training.loss_files import Losses


@styled
def loss_curves(
    losses: Mapping[int, Losses], best_trial: int, suite: str, field: str, loss: str = ""
) -> Figure:
    """Draw the losses of the best trial and the validation losses of the others.

    Parameters
    ----------
    losses : mapping of int to (E, 4) float
        Trial -> epoch, training, validation and test loss, one row per epoch.
    best_trial : int
        Trial of which all losses are drawn.
    suite, field : str
        Suite and fields of the training maps, for the title.
    loss : str, optional
        Name of the loss, for the axis.

    Returns
    -------
    figure : Figure
        The vertical range is that of the best trial, so high losses of other trials may be cut off.
        Epochs count from 1, as in progress bars. Loss files count from 0.

    Raises
    ------
    ValueError
        If the best trial is missing or a trial has no epoch.
    """
    if best_trial not in losses:
        raise ValueError(f"best_trial: Expected one of {sorted(losses)}, got {best_trial}.")
    for trial, history in losses.items():
        if len(history) == 0:
            raise ValueError(f"losses: Expected at least one epoch, got none in trial {trial}.")
    figure = Figure(figsize=(COLUMN_WIDTH * 1.35, COLUMN_WIDTH), layout="constrained")
    ax = figure.subplots()
    _draw_others(ax, [losses[trial] for trial in losses if trial != best_trial])
    _draw_best(ax, losses[best_trial], best_trial)
    ax.set(
        xlabel="Epoch", ylabel=f"Loss ({loss})" if loss else "Loss", title=maps_title(field, suite)
    )
    ax.set_ylim(_loss_limits(losses, best_trial))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.legend(loc="upper right")
    return finish(figure)


def _draw_others(ax: Axes, others: Sequence[Losses]) -> None:
    for number, history in enumerate(others):
        label = f"other trials ({len(others)}), validation" if number == 0 else None
        ax.plot(history[:, 0] + 1, history[:, 2], color=GREY, linewidth=0.6, alpha=0.6, label=label)


def _draw_best(ax: Axes, history: Losses, trial: int) -> None:
    marker = "o" if len(history) == 1 else None  # a line with one point is invisible
    styles = (
        ("training", BLUE, "-"), ("validation", VERMILION, "-"), ("test", GREEN, "--"),
    )  # fmt: skip
    for column, (name, color, line) in enumerate(styles, start=1):
        label = f"trial {trial}, {name}"
        ax.plot(
            history[:, 0] + 1, history[:, column], line, color=color, marker=marker, label=label
        )
    best = int(np.argmin(history[:, 2]))
    ax.plot(
        history[best, 0] + 1, history[best, 2], "*", color=VERMILION, markersize=9,
        markeredgecolor=BLACK, markeredgewidth=0.5, zorder=4,
        label=f"lowest validation loss, ${history[best, 2]:.2f}$",
    )  # fmt: skip


def _loss_limits(losses: Mapping[int, Losses], best_trial: int) -> tuple[float, float]:
    best = losses[best_trial][:, 1:]
    lowest = min(float(history[:, 2].min()) for history in losses.values())
    return padded(min(lowest, float(best.min())), float(best.max()))
