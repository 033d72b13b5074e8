"""Results of networks in a CSV file, and a figure of accuracy against cost.

Run ``python -m benchmarks.recipes.points FIGURE.png FILE.csv ...`` after ``benchmarks.recipes
--points FILE.csv``.
"""

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib
import matplotlib.pyplot as plt
import pandas as pd

from benchmarks.recipes.tables import nats, recalibrated, scores
from benchmarks.recipes.training import Trained

METRICS = ("RMSE", "epsilon", "R2", "chi2")
SECONDS = (20, 4000)  # range of the figure


class Run(NamedTuple):
    """Network of a benchmark."""

    suite: str
    recipe: str
    seed: int
    epochs: int


def add_points(path: Path, run: Run, network: Trained) -> None:
    """Add the results of a network to a file, one row per parameter."""
    is_new = not path.exists()
    information = {
        "nats": nats(network.test)[0],
        "nats_recalibrated": nats(recalibrated(network))[0],
        "nats_valid": nats(network.valid)[0],
    }
    columns = [scores(network.test, metric) for metric in METRICS]
    with path.open("a", newline="") as file:
        writer = csv.writer(file)
        if is_new:
            writer.writerow([*Run._fields, "seconds", *information, "parameter", *METRICS])
        for name, *values in zip(network.test.inferred, *columns, strict=True):
            row = [*run, f"{network.seconds:.1f}"]
            row += [f"{value:.4f}" for value in information.values()]
            writer.writerow([*row, name, *(f"{value:.5g}" for value in values)])


def draw(paths: Sequence[Path], figure: Path) -> None:
    """Draw the information of a map against the cost of a network, one panel per suite.

    Solid lines are recalibrated posteriors, dotted ones posteriors as inferred.
    """
    points = pd.concat([pd.read_csv(path) for path in paths])
    points = points.drop_duplicates(["suite", "recipe", "seed", "epochs", "seconds"])
    suites = points["suite"].unique()
    matplotlib.use("agg")
    fig, axes = plt.subplots(
        1, len(suites), figsize=(3.4 * len(suites), 3.2), layout="constrained", squeeze=False
    )
    colors = {recipe: f"C{number}" for number, recipe in enumerate(points["recipe"].unique())}
    for ax, suite in zip(axes[0], suites, strict=True):
        for recipe, of_recipe in points[points["suite"] == suite].groupby("recipe", sort=False):
            of_budget = of_recipe.groupby("epochs")[["seconds", "nats", "nats_recalibrated"]]
            mean, spread = of_budget.mean(), of_budget.std(ddof=0)
            seconds = mean["seconds"]
            ax.errorbar(
                *(seconds, mean["nats_recalibrated"], spread["nats_recalibrated"]),
                marker="o",
                ms=4,
                color=colors[recipe],
                label=recipe,
            )
            ax.plot(seconds, mean["nats"], ":", color=colors[recipe])
        ax.set(xscale="log", title=suite, xlabel="processor time [s]", xlim=SECONDS)
        ax.set_ylim(0, 1.08 * points.loc[points["suite"] == suite, "nats_recalibrated"].max())
        ax.xaxis.set_major_formatter("{x:g}")
    axes[0][0].set_ylabel("information of a map [nats]")
    axes[0][0].legend(loc="lower right", frameon=False)
    fig.savefig(figure, dpi=150)


def main() -> None:
    """Draw the figure of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.recipes.points", description="Draw accuracy against cost."
    )
    parser.add_argument("figure", type=Path)
    parser.add_argument("points", type=Path, nargs="+", metavar="FILE.csv")
    asked = parser.parse_args()
    draw(asked.points, asked.figure)


if __name__ == "__main__":
    main()
