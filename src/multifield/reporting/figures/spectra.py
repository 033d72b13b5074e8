"""Power spectra of maps, in bins of the parameters."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float64
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatterSciNotation, LogLocator, NullFormatter

from multifield import camels
from multifield.core.arrays import Theta
from multifield.data.preprocess import LogMaps
from multifield.maps.power_spectrum import power_spectrum
from multifield.reporting.figures.maps import log_title
from multifield.reporting.figures.style import (
    BLACK,
    BLUE,
    PAGE_WIDTH,
    VERMILION,
    finish,
    maps_title,
    styled,
    symbol,
)

MAX_SIMULATIONS = 150  # measured; medians of more look the same
COLORS = (BLUE, BLACK, VERMILION)  # of low, middle and high values of a parameter
MAX_BINS = 24


@styled
def spectra(
    log_maps: Mapping[str, LogMaps],
    theta: Theta,
    names: tuple[str, ...],
    suite: str,
    field: str,
    space: camels.ParameterSpace = camels.CMD,
) -> Figure:
    """Draw median power spectra of log maps with low, middle and high values of each parameter.

    The figure shows k^2 P(k) / (2 pi), the variance of the map per unit of ln k.

    Parameters
    ----------
    log_maps : mapping of field to LogMaps
        Log maps of all S simulations.
    theta : (S, P) float64
        Parameters of each simulation.
    names : tuple of str
        Parameters, one panel each.
    suite, field : str
        Suite and fields of the maps, for the title.
    space : ParameterSpace, optional
        Parameters of the columns of `theta`. By default CMD's six.

    Returns
    -------
    figure : Figure
        Medians of three equally large bins of each parameter, with bands from 16% to 84% of their
        simulations. The spectrum of a simulation is the mean over the first slab of the three axes.
        At most `MAX_SIMULATIONS` evenly spaced simulations are used.
    """
    chosen = np.linspace(0, len(theta) - 1, min(len(theta), MAX_SIMULATIONS)).round().astype(int)
    n_columns = 2 if len(names) in (1, 2, 4) else 3
    rows = [
        (f, names[i : i + n_columns]) for f in log_maps for i in range(0, len(names), n_columns)
    ]
    size = (PAGE_WIDTH, (PAGE_WIDTH / n_columns * 0.8 + 0.15) * len(rows) + 0.7)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(rows), n_columns, squeeze=False)
    measured = {f: _measure(maps, chosen, len(theta)) for f, maps in log_maps.items()}
    for (one_field, shown), row in zip(rows, axes, strict=True):
        for ax in row[len(shown) :]:
            ax.set_axis_off()
        for ax, name in zip(row, shown, strict=False):
            values = theta[chosen, space.index(name)]
            _draw(ax, *measured[one_field], values, symbol(name, space))
        row[0].set_ylabel(rf"$k^2 P(k) / 2\pi$ of {log_title(one_field)}")
    for ax in axes[-1]:
        ax.set_xlabel(r"$k$ [$h$/Mpc]")
    figure.suptitle(f"{maps_title(field, suite)}, {len(chosen)} of {len(theta)} simulations")
    return finish(figure)


def _measure(
    log_maps: LogMaps, simulations: np.ndarray, n_simulations: int
) -> tuple[Float64[np.ndarray, " K"], Float64[np.ndarray, "S K"]]:
    """Measure the spectrum of each simulation over the first slab of each axis."""
    n_maps = len(log_maps.maps) // n_simulations  # one per axis and slab of equal thickness
    n_slabs = n_maps // camels.N_AXES
    box = log_maps.share * camels.BOX_SIZE * n_slabs / camels.N_SLABS
    maps = (simulations[:, None] * n_maps + np.arange(camels.N_AXES) * n_slabs).ravel()
    read = log_maps.read(maps)
    n_bins = min(MAX_BINS, read.shape[-1] // 2)
    k, power, _ = power_spectrum(read, box, n_bins)
    return k, power.reshape(len(simulations), camels.N_AXES, -1).mean(axis=1)


def _draw(ax: Axes, k: np.ndarray, power: np.ndarray, values: np.ndarray, label: str) -> None:
    variance = k**2 * power / (2 * np.pi)
    parts = np.array_split(np.argsort(values, kind="stable"), min(len(COLORS), len(values)))
    for part, color in zip(parts, COLORS, strict=False):
        low, median, high = np.percentile(variance[part], (16, 50, 84), axis=0)
        interval = f"{values[part].min():.2f} to {values[part].max():.2f}"
        ax.fill_between(k, low, high, color=color, alpha=0.15, linewidth=0)
        ax.plot(k, median, color=color, linewidth=1.0, label=interval)
    ax.set(xscale="log", yscale="log", xlim=(k[0], k[-1]))
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter(NullFormatter())
    bottom, top = ax.get_ylim()
    if top < 30 * bottom:  # such an axis may contain no decade
        ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        ax.yaxis.set_major_formatter(
            LogFormatterSciNotation(labelOnlyBase=False, minor_thresholds=(9, 9))
        )
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.legend(title=label, fontsize=7, title_fontsize=8)
