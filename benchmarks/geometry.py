"""Accuracy and calibration on maps that differ from the training maps in their geometry.

    python -m benchmarks.geometry figure [folder [number of simulations]]

All networks have the recipe ``statistics`` and 32 pixels. One is trained on whole maps of
MockNbody, one on cut-outs of maps of 64 pixels, and one on cut-outs with a masked disc. They infer
test maps of the same simulations, unchanged or changed. The folder stores the maps.
"""

import sys
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import multifield as mf
from benchmarks.measure import markdown_table, say
from multifield.maps.masks import fill_masked

SIZE = 32  # [pixels] of all networks
MASKED = 0.2  # share of the masked pixels
COLUMNS = ("maps", "network", "parameter", "rmse", "std", "chi2", "inside", "flagged")


def disc(share: float) -> np.ndarray:
    """Make a mask: a disc in the middle of the map with a share of its pixels."""
    row, column = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    radius = SIZE * np.sqrt(share / np.pi)
    mask: np.ndarray = row**2 + column**2 < radius**2
    return mask


class Score(NamedTuple):
    """Accuracy and calibration of one parameter.

    Attributes
    ----------
    parameter : str
        Name.
    rmse, std : float
        Root mean square error, and mean recalibrated standard deviation.
    chi2 : float
        Mean squared error in recalibrated standard deviations.
    inside, flagged : float
        Share of the truths inside one standard deviation, and of flagged maps.
    """

    parameter: str
    rmse: float
    std: float
    chi2: float
    inside: float
    flagged: float

    @property
    def texts(self) -> tuple[str, ...]:
        """Values as text for a table."""
        numbers = (f"{self.rmse:.4f}", f"{self.std:.4f}", f"{self.chi2:.2f}")
        return (self.parameter, *numbers, f"{self.inside:.0%}", f"{self.flagged:.0%}")


def score(posterior: mf.Posterior, theta: np.ndarray) -> list[Score]:
    """Compare posteriors with the true parameters of each map.

    Parameters
    ----------
    posterior : Posterior
        Posteriors of N maps.
    theta : (N, P) float64
        True parameters.

    Returns
    -------
    scores : list of Score
        One for each parameter.
    """
    scores = []
    for column, name in enumerate(posterior.parameters):
        std = posterior.std_recalibrated[:, column]
        error = posterior.mean[:, column] - theta[:, column]
        numbers = np.sqrt(np.mean(error**2)), std.mean(), np.mean((error / std) ** 2)
        inside = np.mean(np.abs(error) < std)
        scores.append(Score(name, *map(float, (*numbers, inside, posterior.is_novel.mean()))))
    return scores


def load(folder: Path, name: str, n_simulations: int, **settings: Any) -> mf.Suite:
    """Load maps of MockNbody, of which 15% are for validation and test.

    Parameters
    ----------
    folder : Path
        Folder for the maps.
    name : str
        Name of its folder for maps of these pixels.
    n_simulations : int
        Number of simulations.
    **settings : object
        Further settings of `multifield.load_suite`.

    Returns
    -------
    suite : Suite
        Maps of Mtot.
    """
    held_out = max(2, 3 * n_simulations // 40)
    return mf.load_suite(
        *("MockNbody", "Mtot"),
        data=folder / name,
        environment="mock",
        n_simulations=n_simulations,
        n_valid=held_out,
        n_test=held_out,
        **{"map_size": SIZE, **settings},
    )


def measure(folder: Path, n_simulations: int) -> pd.DataFrame:
    """Train the networks and infer all test maps.

    Parameters
    ----------
    folder : Path
        Folder for maps and networks. Maps of an earlier call are reused.
    n_simulations : int
        Number of simulations.

    Returns
    -------
    table : DataFrame
        One row per kind of maps and parameter, with columns `COLUMNS`.
    """
    mask = disc(MASKED)
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "mask.npy", mask)
    fine = {"map_size": 2 * SIZE, "cutout": SIZE}
    suites = {
        "whole": load(folder, "whole", n_simulations),
        "cut-outs": load(folder, "fine", n_simulations, **fine),
        "masked": load(folder, "fine", n_simulations, mask=str(folder / "mask.npy"), **fine),
    }
    networks = {name: mf.train(suite, recipe="statistics") for name, suite in suites.items()}
    test = suites["whole"].test
    theta = test.theta
    whole = np.array(suites["whole"].maps["Mtot"][test.index])
    finer = np.array(suites["cut-outs"].maps["Mtot"][test.index])
    corner = np.ascontiguousarray(finer[:, :SIZE, :SIZE])
    cases: list[tuple[str, str, np.ndarray, float]] = [
        ("whole", "whole", whole, 25),
        ("64 pixels, regridded", "whole", finer, 25),
        ("cut-outs", "cut-outs", corner, 12.5),
        ("64 pixels, 4 tiles", "cut-outs", finer, 25),
        ("masked, filled by hand", "cut-outs", fill_masked(corner, mask), 12.5),
        ("masked", "masked", np.where(mask, np.float32(np.nan), corner), 12.5),
    ]
    rows = []
    for title, name, maps, box in cases:
        posterior = networks[name].infer(maps, box=box)
        rows += [(title, name, *each) for each in score(posterior, theta)]
        say(title)
    return pd.DataFrame(rows, columns=COLUMNS)


def draw(table: pd.DataFrame, path: Path) -> None:
    """Draw RMSE and chi2 of each kind of maps.

    Parameters
    ----------
    table : DataFrame
        Table from `measure`.
    path : Path
        File of the figure.
    """
    matplotlib.use("agg")
    fig, axes = plt.subplots(1, 2, figsize=(7, 2.8), layout="constrained", sharey=True)
    titles = list(dict.fromkeys(table.maps))
    for number, (parameter, rows) in enumerate(table.groupby("parameter", sort=False)):
        heights = np.array([titles.index(title) for title in rows.maps]) + 0.2 * number - 0.1
        for ax, metric in zip(axes, ("rmse", "chi2"), strict=True):
            ax.plot(rows[metric], heights, "o", ms=4, color=f"C{number}", label=parameter)
    axes[0].set(xlabel="RMSE", xlim=(0, None), yticks=range(len(titles)), yticklabels=titles)
    axes[0].invert_yaxis()
    axes[1].axvline(1, color="0.7", lw=0.8, zorder=0)
    axes[1].set(xlabel="chi2", xscale="log")
    axes[1].legend(fontsize=7, frameon=False)
    fig.savefig(path, dpi=150)


def main() -> None:
    """Print the table and draw the figure."""
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else Path("data/geometry")
    table = measure(folder, int(sys.argv[3]) if len(sys.argv) > 3 else 400)
    rows = [(*row[:2], *Score(*row[2:]).texts) for row in table.to_numpy().tolist()]
    say(*markdown_table(COLUMNS, rows))
    draw(table, Path(sys.argv[1]))


if __name__ == "__main__":
    main()
