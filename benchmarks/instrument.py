"""Accuracy and calibration of networks without and with noise and beam in the training.

    python -m benchmarks.instrument FIGURE.png [folder [number of simulations]]

Two networks are trained on whole maps of MockNbody, as in ``benchmarks.geometry``. One sees maps as
they are simulated, the other maps with a noise and a beam up to a limit. Both infer test maps with
noise or a beam. The folder stores the maps.
"""

import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import multifield as mf
from benchmarks.geometry import Score, load, score
from benchmarks.measure import markdown_table, say
from multifield.maps import gaussian_smooth

NOISE, BEAM = 0.2, 1.0  # limits of the training: relative to each pixel; [pixels]
LEVELS = {
    "noise per pixel": (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4),
    "beam [pixels]": (0.0, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.25, 1.5),
}
LIMITS = dict(zip(LEVELS, (NOISE, BEAM), strict=True))
COLUMNS = ("network", "instrument", "level", *Score._fields)


def observe(maps: np.ndarray, instrument: str, level: float) -> np.ndarray:
    """Add noise or a beam of one level to all maps.

    Parameters
    ----------
    maps : (N, L, L) float32
        Raw maps.
    instrument : str
        A key of `LEVELS`.
    level : float
        Standard deviation of the noise relative to each pixel, or of the beam [pixels].

    Returns
    -------
    observed : (N, L, L) float32
        Maps in the same units.
    """
    if instrument == "beam [pixels]":
        return gaussian_smooth(maps, level)
    noise = np.random.default_rng(1).standard_normal(maps.shape, np.float32)
    return maps * np.exp(np.float32(level) * noise)


def measure(folder: Path, n_simulations: int) -> pd.DataFrame:
    """Train the networks and infer all test maps.

    Parameters
    ----------
    folder : Path
        Folder for maps. Maps of an earlier call are reused.
    n_simulations : int
        Number of simulations.

    Returns
    -------
    table : DataFrame
        One row per network, level and parameter, with columns `COLUMNS`.
    """
    suites = {
        "simulated maps": load(folder, "whole", n_simulations),
        f"noise to {NOISE:g}, beam to {BEAM:g}": load(
            folder, "whole", n_simulations, noise=NOISE, beam=BEAM
        ),
    }
    rows = []
    for name, suite in suites.items():
        network = mf.train(suite, recipe="statistics")
        raw = np.array(suite.maps["Mtot"][suite.test.index])
        for instrument, levels in LEVELS.items():
            for level in levels:
                posterior = network.infer(observe(raw, instrument, level), box=25)
                scores = score(posterior, suite.test.theta)
                rows += [(name, instrument, level, *each) for each in scores]
            say(f"{name}: {instrument}")
    return pd.DataFrame(rows, columns=COLUMNS)


def draw(table: pd.DataFrame, path: Path) -> None:
    """Draw RMSE and chi2 against noise and beam. Vertical lines are the limits of the training.

    Parameters
    ----------
    table : DataFrame
        Table from `measure`.
    path : Path
        File of the figure.
    """
    matplotlib.use("agg")
    fig, axes = plt.subplots(
        2, 2, figsize=(7, 4.6), layout="constrained", sharex="col", sharey="row"
    )
    colors = {parameter: f"C{number}" for number, parameter in enumerate(table.parameter.unique())}
    styles = dict(zip(table.network.unique(), ("--", "-"), strict=True))
    for column, (instrument, rows) in zip(
        axes.T, table.groupby("instrument", sort=False), strict=True
    ):
        for (network, parameter), line in rows.groupby(["network", "parameter"], sort=False):
            for ax, metric in zip(column, ("rmse", "chi2"), strict=True):
                ax.plot(
                    *(line.level, line[metric], styles[network]),
                    marker="o",
                    ms=3,
                    color=colors[parameter],
                    label=f"{parameter}, trained on {network}",
                )
        for ax in column:
            ax.axvline(LIMITS[instrument], color="0.7", lw=0.8, zorder=0)
        column[1].axhline(1, color="0.7", lw=0.8, zorder=0)
        column[1].set(xlabel=instrument, yscale="log", ylim=(0.5, 2000))
    axes[0][0].set(ylabel="RMSE", ylim=(0, 0.32))
    axes[1][0].set_ylabel("chi2")
    axes[0][0].legend(fontsize=7, frameon=False, loc="upper left", handlelength=3)
    fig.savefig(path, dpi=150)


def main() -> None:
    """Print the table and draw the figure."""
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else Path("data/geometry")
    table = measure(folder, int(sys.argv[3]) if len(sys.argv) > 3 else 400)
    rows = [(*map(str, row[:4]), *Score(*row[3:]).texts[1:]) for row in table.to_numpy().tolist()]
    say(*markdown_table(COLUMNS, rows))
    draw(table, Path(sys.argv[1]))


if __name__ == "__main__":
    main()
