"""Single maps with their posteriors, and with the attributions of their pixels."""

from typing import Any

import numpy as np
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from multifield import camels
from multifield.camels.selection import Selection
from multifield.core.arrays import Maps
from multifield.evaluation.examples import Examples
from multifield.evaluation.saliency import Attributions
from multifield.reporting.figures.maps import (
    draw_map,
    draw_scale_bar,
    log_norm,
    log_title,
    percentiles,
    unit_of,
)
from multifield.reporting.figures.style import (
    PAGE_WIDTH,
    finish,
    in_order,
    styled,
    symbol,
    test_title,
)

N_DESCRIBED = 6
"""Largest number of parameters that are described in words."""
_TEXT_SIZE = 7.5
_BAR: dict[str, Any] = {"location": "bottom", "extend": "both", "pad": 0.01, "aspect": 22}


@styled
def typical_and_worst(
    typical: Examples,
    worst: Examples,
    typical_maps: Maps,
    worst_maps: Maps,
    suite: str,
    field: str,
    tested_on: Selection,
) -> Figure:
    """Draw maps with typical and with the worst posteriors, with truth and posterior.

    Parameters
    ----------
    typical, worst : Examples
        Maps from `multifield.evaluation.choose_typical_and_worst`.
    typical_maps, worst_maps : (K, L, L) float32
        Raw maps of the first test field.
    suite, field : str
        Suite and fields of the training maps, for the title.
    tested_on : Selection
        Suite, set and fields of the test maps.

    Returns
    -------
    figure : Figure
        All maps share one color scale. The text below each map gives truth, mean and standard
        deviation of each parameter, at most of the `N_DESCRIBED` best known ones, and the chi2 of
        the map.
    """
    shown = tested_on.fields[0]
    n_lines = _describe(typical, 0).count("\n") + 1
    n_columns = max(len(typical.rows), len(worst.rows))
    side = min(PAGE_WIDTH * 0.88 / n_columns, 2.2)
    height = 2 * (side + 0.145 * n_lines + 0.15) + 0.45
    figure = Figure(figsize=(max(side * n_columns + 1.0, 4.5), height), layout="constrained")
    axes = figure.subplots(2, n_columns, squeeze=False)
    norm = log_norm(np.concatenate([typical_maps, worst_maps]))
    for row, examples, maps in zip(axes, (typical, worst), (typical_maps, worst_maps), strict=True):
        for ax in row[len(maps) :]:
            ax.set_axis_off()
        for number, (ax, one_map) in enumerate(zip(row, maps, strict=False)):
            image = draw_map(ax, one_map, "", norm, box=tested_on.simulations.box)
            ax.set(xticks=[], yticks=[])
            ax.set_xlabel(_describe(examples, number), fontsize=_TEXT_SIZE, linespacing=1.25)
    for label, ax in zip(("Typical", "Worst"), axes[:, 0], strict=True):
        ax.set_ylabel(label, fontsize=10)
    draw_scale_bar(axes[0, 0])
    label = f"{camels.FIELDS[shown].quantity.capitalize()} [{unit_of(shown)}]"
    figure.colorbar(image, ax=axes, label=label, extend="both", pad=0.02, aspect=35)
    figure.suptitle(test_title(field, suite, tested_on))
    return finish(figure)


def _describe(examples: Examples, number: int) -> str:
    """Format truth, mean and standard deviation of the best known parameters, and chi2 of a map."""
    results = examples.results
    lines = []
    for name in in_order(results)[:N_DESCRIBED]:
        true, mean, std = (values[number] for values in results.of(name))
        label = symbol(name, results.space)
        end = "\n" if "\n" in label else " "  # a long name has a line of its own
        label = label.replace("\n", "")
        lines.append(rf"{label}:{end}true {true:.3f}, inferred ${mean:.3f} \pm {std:.3f}$")
    return "\n".join([*lines, rf"$\chi^2 = {examples.chi2[number]:.2g}$"])


@styled
def saliency(
    attributions: Attributions,
    log_maps: np.ndarray,
    examples: Examples,
    suite: str,
    field: str,
    tested_on: Selection,
    box: float = camels.BOX_SIZE,
) -> Figure:
    """Draw maps beside the attributions of the posterior means to their pixels.

    Parameters
    ----------
    attributions : Attributions
        Attributions for P parameters of B maps.
    log_maps : (B, C, L, L) float32
        The same maps, standardized.
    examples : Examples
        Truth and posteriors of the same maps.
    suite, field : str
        Suite and fields of the training maps, for the title.
    tested_on : Selection
        Test maps. Their fields are the channels.
    box : float, optional
        Side of a map or cut-out [Mpc/h].

    Returns
    -------
    figure : Figure
        One row per map and field. Colors of attributions are linear up to the 99.5th percentile of
        their column. The caption gives the posterior means of the baseline and the quadrature
        error.
    """
    fields = tested_on.fields
    learned = examples.results.space.learned or examples.results.space
    panels = [(b, c) for b in range(len(log_maps)) for c in range(len(fields))]
    n_columns = 1 + len(attributions.names)
    side = 2.0  # [inch]
    size = (side * n_columns + 0.9, (side + 0.3) * len(panels) + 1.3)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(panels), n_columns, squeeze=False)
    powers = [_power_of_ten(values) for values in attributions.values]
    values = [each / 10.0**power for each, power in zip(attributions.values, powers, strict=True)]
    norms = [_symmetric(each) for each in values]
    norm = Normalize(*percentiles(log_maps))
    for (b, c), row in zip(panels, axes, strict=True):
        shown = draw_map(row[0], log_maps[b, c], "", norm, box=box)
        row[0].set_ylabel(log_title(fields[c]))
        for p, ax in enumerate(row[1:]):
            image = draw_map(ax, values[p][b, c], "", norms[p], cmap="RdBu_r", box=box)
            ax.set_title(_answer(attributions, examples, p, b), fontsize=8)
            if b == len(log_maps) - 1 and c == len(fields) - 1:
                label = _bar_label(symbol(attributions.names[p], learned), powers[p])
                bar = figure.colorbar(image, ax=axes[:, p + 1], label=label, **_BAR)
                bar.locator = MaxNLocator(4, symmetric=True)
        for ax in row:
            ax.set(xticks=[], yticks=[])
    figure.colorbar(shown, ax=axes[:, 0], label="(log map $-$ mean) / std", **_BAR)
    draw_scale_bar(axes[0, 0])
    figure.suptitle(test_title(field, suite, tested_on))
    figure.supxlabel(_saliency_caption(attributions, learned), fontsize=_TEXT_SIZE, color="0.35")
    return finish(figure)


def _symmetric(values: np.ndarray) -> Normalize:
    limit = float(np.percentile(np.abs(values), 99.5)) or 1.0
    return Normalize(-limit, limit)


def _power_of_ten(values: np.ndarray) -> int:
    """Give the power of ten for the label of a color bar, which keeps its ticks short."""
    return int(np.floor(np.log10(float(np.percentile(np.abs(values), 99.5)) or 1.0)))


def _bar_label(label: str, power: int) -> str:
    return rf"attribution to {label} [$10^{{{power}}}$ per pixel]"


def _answer(attributions: Attributions, examples: Examples, p: int, b: int) -> str:
    name, results = attributions.names[p], examples.results
    true = results.space.to_learned(results.theta)[b, results.space.index(name)]
    label = symbol(name, results.space.learned or results.space).replace("\n", "")
    return f"{label}: true {true:.3f}, inferred ${attributions.mean[p, b]:.3f}$"


def _saliency_caption(attributions: Attributions, space: camels.ParameterSpace) -> str:
    means = zip(attributions.names, attributions.baseline_mean, strict=True)
    answers = ", ".join(f"{symbol(name, space)} $= {mean:.3f}$" for name, mean in means)
    gaps = ", ".join(f"{gap:.1g}" for gap in np.abs(attributions.gap).max(axis=1))
    relative = f"relative to {attributions.n_baselines} test maps, averaged"
    if not attributions.n_baselines:
        relative = "relative to a baseline map with all pixels at the training mean"
    return (
        f"Integrated gradients {relative}.\n"
        f"Posterior means of the baseline: {answers}.\n"
        f"Attributions sum to mean $-$ baseline mean to within {gaps}."
    )
