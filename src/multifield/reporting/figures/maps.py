"""Maps side by side."""

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import LogFormatterSciNotation, LogLocator, MaxNLocator, NullFormatter

from multifield import camels
from multifield.core.arrays import Map, Maps
from multifield.reporting.figures.style import PAGE_WIDTH, finish, maps_title, styled, suite_title

_UNITS = {
    "(M_sun/h)/(Mpc/h)^2": r"$(M_\odot/h)\,/\,(\mathrm{Mpc}/h)^2$",
    "h^2 M_sun (km/s)^2/kpc^3": r"$h^2\,M_\odot\,(\mathrm{km/s})^2/\mathrm{kpc}^3$",
    "h^2 cm^-3 (Mpc/h)": r"$h^2\,\mathrm{cm}^{-3}\,(\mathrm{Mpc}/h)$",
}  # other units need no formatting


@styled
def maps_mosaic(maps: Maps, titles: Sequence[str], field: str, suite: str) -> Figure:
    """Draw maps of one field side by side on one logarithmic color scale.

    Parameters
    ----------
    maps : (N, L, L) float32
        Raw maps in physical units, not logarithms.
    titles : sequence of str
        Title of each map, such as its parameters.
    field, suite : str
        Names from `camels`, for the unit and the title.

    Returns
    -------
    figure : Figure
        Colors span the 0.1th to the 99.9th percentile of the positive pixels. Zeros (Mstar) have
        the darkest color. The bar in the first map is 5 Mpc/h long.

    Raises
    ------
    ValueError
        If there is no map, titles and maps differ in number, or no pixel is positive.
    """
    if len(maps) == 0 or len(titles) != len(maps):
        raise ValueError(
            f"titles: Expected one per map and at least one map, got {len(titles)} titles for "
            f"{len(maps)} maps."
        )
    figure, axes = _map_grid(len(maps), right=0.9)
    norm = log_norm(maps)
    for ax, one_map, title in zip(axes.flat, maps, titles, strict=False):
        image = draw_map(ax, one_map, title, norm)
    draw_scale_bar(axes[0, 0])
    label = f"{camels.FIELDS[field].quantity.capitalize()} [{unit_of(field)}]"
    figure.colorbar(image, ax=axes, label=label, extend="both", pad=0.02, aspect=30)
    figure.suptitle(maps_title(field, suite))
    return finish(figure)


@styled
def fields_mosaic(maps: Mapping[str, Map], suite: str, *, logarithmic: bool = False) -> Figure:
    """Draw one map of each field. Colors span its 0.1th to its 99.9th percentile.

    Parameters
    ----------
    maps : mapping of str to (L, L) float32
        Field -> one map.
    suite : str
        Name of the suite, for the title.
    logarithmic : bool, optional
        Whether the maps are logarithms, as after preprocessing. Otherwise they are physical and the
        color scale is logarithmic.

    Returns
    -------
    figure : Figure
        One panel with a color bar per field.

    Raises
    ------
    ValueError
        If there is no field, or a physical map has no positive pixel.
    """
    if not maps:
        raise ValueError("maps: Expected a map of at least one field, got none.")
    figure, axes = _map_grid(len(maps), below=0.4)
    for ax, (field, one_map) in zip(axes.flat, maps.items(), strict=False):
        norm = Normalize(*percentiles(one_map)) if logarithmic else log_norm(one_map)
        image = draw_map(ax, one_map, log_title(field) if logarithmic else field, norm)
        bar = figure.colorbar(
            image,
            ax=ax,
            label=unit_of(field),
            location="bottom",
            extend="both",
            pad=0.02,
            aspect=25,
        )
        _thin_ticks(bar)
    draw_scale_bar(axes[0, 0])
    figure.suptitle(suite_title(suite))
    return finish(figure)


def _thin_ticks(bar: Colorbar) -> None:
    """Label a logarithmic bar at decades, or also at 2 and 5 if it spans few of them."""
    if not isinstance(bar.norm, LogNorm):
        bar.locator = MaxNLocator(3)
        return
    lower, upper = bar.ax.get_xlim()
    if upper < 30 * lower:
        bar.locator = LogLocator(subs=(1.0, 2.0, 5.0))
        bar.formatter = LogFormatterSciNotation(labelOnlyBase=False, minor_thresholds=(9, 9))
    bar.ax.xaxis.set_minor_formatter(NullFormatter())


def _map_grid(n_maps: int, *, right: float = 0.0, below: float = 0.0) -> tuple[Figure, np.ndarray]:
    """Make a figure with at most four maps per row and rows of similar length.

    `right` of all maps and `below` each map [inch] is space for color bars.
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


def log_norm(maps: np.ndarray) -> Normalize:
    """Choose a logarithmic color scale, or a linear one for less than a factor of 3 (such as MgFe).

    Parameters
    ----------
    maps : array of float
        Pixels in physical units.

    Returns
    -------
    norm : Normalize
        Scale from the 0.1th to the 99.9th percentile of the positive pixels.

    Raises
    ------
    ValueError
        If no pixel is positive.
    """
    positive = maps[maps > 0]
    if positive.size == 0:
        raise ValueError("maps: Expected a pixel > 0 for the logarithmic scale, got none.")
    lower, upper = percentiles(positive)
    if lower == upper:  # constant maps, from a test or an empty field
        lower, upper = lower / 2, upper * 2
    return LogNorm(lower, upper) if upper > 3 * lower else Normalize(lower, upper)


def percentiles(pixels: np.ndarray) -> tuple[float, float]:
    """Give the 0.1th and the 99.9th percentile, the limits of color scales."""
    lower, upper = np.percentile(pixels, (0.1, 99.9))
    return float(lower), float(upper)


def draw_map(
    ax: Axes,
    one_map: np.ndarray,
    title: str,
    norm: Normalize,
    cmap: str = "inferno",
    box: float = camels.BOX_SIZE,
) -> AxesImage:
    """Draw one map over the side of its box [Mpc/h]."""
    # a logarithmic scale masks zeros; give them its darkest color
    colors = mpl.colormaps[cmap].with_extremes(bad=mpl.colormaps[cmap](0.0))
    ax.set_title(title)
    extent = (0.0, box, 0.0, box)
    return ax.imshow(
        one_map, norm=norm, cmap=colors, extent=extent, origin="lower", interpolation="nearest"
    )


def draw_scale_bar(ax: Axes) -> None:
    """Draw a bar as long as the thickness of a slab into a map."""
    length = camels.BOX_SIZE / camels.N_SLABS
    outline = [patheffects.withStroke(linewidth=2.5, foreground="black")]
    ax.plot([1.5, 1.5 + length], [1.5, 1.5], color="white", linewidth=1.5, path_effects=outline)
    ax.text(
        1.5 + length / 2, 2.2, rf"{length:g} Mpc/$h$", color="white", fontsize=8,
        ha="center", va="bottom", path_effects=outline,
    )  # fmt: skip


def log_title(field: str) -> str:
    """Format the name of the logarithm of a field."""
    plus_one = camels.FIELDS[field].transform == "log10(1+x)"
    return rf"$\log_{{10}}$ (1 + {field})" if plus_one else rf"$\log_{{10}}$ {field}"


def unit_of(field: str) -> str:
    """Format the unit of a field."""
    unit = camels.FIELDS[field].unit
    return _UNITS.get(unit, unit)
