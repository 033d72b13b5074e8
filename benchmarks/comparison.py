"""Sets of changed test maps against the validation maps, at several smoothing scales.

    python -m benchmarks.comparison [folder [number of simulations]]

A network of the recipe ``multifield`` is trained on 64 pixels of MockNbody. The test maps are
compared with its validation maps, unchanged or changed. The folder stores the maps.
"""

import sys
from pathlib import Path

import numpy as np

import multifield as mf
from benchmarks.measure import markdown_table, say
from multifield.maps import gaussian_smooth

EPOCHS = 40
LARGE = 4.0  # [pixels] smoothing width of the noise on large scales


def measure(folder: Path, n_simulations: int) -> tuple[list[str], list[list[str]]]:
    """Train the network and compare all sets.

    Parameters
    ----------
    folder : Path
        Folder for the maps. Maps of an earlier call are reused.
    n_simulations : int
        Number of simulations.

    Returns
    -------
    headings : list of str
        Name of the set, smoothing widths [pixels] and share of flagged maps.
    rows : list of list of str
        p-value of each smoothing width, one row per set.
    """
    held_out = max(2, n_simulations // 6)
    suite = mf.load_suite(
        *("MockNbody", "Mtot"),
        data=folder,
        environment="mock",
        map_size=64,
        n_simulations=n_simulations,
        n_valid=held_out,
        n_test=held_out,
    )
    network = mf.train(suite, recipe="statistics", epochs=EPOCHS)
    maps, theta = np.array(suite.maps["Mtot"][suite.test.index]), suite.test.theta
    normal = np.random.default_rng(1).normal(size=maps.shape).astype(np.float32)
    smooth = gaussian_smooth(normal, LARGE)
    sets = {
        "test maps, unchanged": maps,
        "noise of 5% per pixel": maps * np.exp(np.float32(0.05) * normal),
        "noise of 10% per pixel": maps * np.exp(np.float32(0.1) * normal),
        "beam of 0.3 pixels": gaussian_smooth(maps, 0.3),
        "beam of 0.5 pixels": gaussian_smooth(maps, 0.5),
        f"noise of 30%, smoothed by {LARGE:g} pixels": maps
        * np.exp(np.float32(0.3) / smooth.std() * smooth),
        "10% denser": maps * np.float32(1.1),
        "30% denser": maps * np.float32(1.3),
        "half with larger Omega_m": maps[theta[:, 0] > np.median(theta[:, 0])],
    }
    headings, rows = list[str](), []
    for title, each in sets.items():
        flagged = network.infer(each, orientations=1).is_novel.mean()
        table = network.compare(each, suite.valid)
        headings = ["maps", *(f"{scale:g}" for scale in table["smoothing"]), "flagged"]
        shown = [f"{p_value:.3f}" for p_value in table["p_value"]]
        rows.append([title, *shown, f"{100 * flagged:.0f}%"])
        say(title)
    return headings, rows


def main() -> None:
    """Print the table."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("data/comparison")
    headings, rows = measure(folder, int(sys.argv[2]) if len(sys.argv) > 2 else 300)
    say(*markdown_table(headings, rows))


if __name__ == "__main__":
    main()
