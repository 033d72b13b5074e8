"""Accuracy and calibration on maps that differ from the training maps in their geometry.

    python -m benchmarks.geometry [folder [number of simulations]]

All networks have the recipe ``multifield`` and 32 pixels. One is trained on whole maps of
MockNbody, one on cut-outs of maps of 64 pixels, and one on cut-outs with a masked disc. They infer
test maps of the same simulations, unchanged or changed. The folder stores the maps.
"""

import sys
from pathlib import Path

import numpy as np

import multifield as mf
from benchmarks.measure import markdown_table, say
from multifield.maps import gaussian_smooth
from multifield.maps.masks import fill_masked

SIZE = 32  # [pixels] of all networks
MASKED = 0.2  # share of the masked pixels
NOISE = 0.1  # standard deviation of the noise relative to each pixel
BEAM = 1.0  # [pixels]
HEADINGS = ("maps", "network", "parameter", "RMSE", "std", "chi2", "68%", "flagged")


def disc(share: float) -> np.ndarray:
    """Make a mask: a disc in the middle of the map with a share of its pixels."""
    row, column = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    radius = SIZE * np.sqrt(share / np.pi)
    mask: np.ndarray = row**2 + column**2 < radius**2
    return mask


def score(posterior: mf.Posterior, theta: np.ndarray) -> list[tuple[str, ...]]:
    """Compare posteriors with the true parameters of each map.

    Parameters
    ----------
    posterior : Posterior
        Posteriors of N maps.
    theta : (N, P) float64
        True parameters.

    Returns
    -------
    rows : list of tuple of str
        Parameter, RMSE, mean recalibrated standard deviation, mean chi2, share of the truths inside
        one standard deviation, and share of flagged maps.
    """
    rows = []
    flagged = f"{100 * posterior.is_novel.mean():.0f}%"
    for column, name in enumerate(posterior.parameters):
        std = posterior.std_recalibrated[:, column]
        error = posterior.mean[:, column] - theta[:, column]
        numbers = np.sqrt(np.mean(error**2)), std.mean(), np.mean((error / std) ** 2)
        inside = f"{100 * np.mean(np.abs(error) < std):.0f}%"
        shown = (f"{numbers[0]:.4f}", f"{numbers[1]:.4f}", f"{numbers[2]:.2f}")
        rows.append((name, *shown, inside, flagged))
    return rows


def measure(folder: Path, n_simulations: int) -> list[tuple[str, ...]]:
    """Train the networks and infer all test maps.

    Parameters
    ----------
    folder : Path
        Folder for maps and networks. Maps of an earlier call are reused.
    n_simulations : int
        Number of simulations.

    Returns
    -------
    rows : list of tuple of str
        Rows of the table, as in `HEADINGS`.
    """
    mask = disc(MASKED)
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "mask.npy", mask)
    held_out = max(2, 3 * n_simulations // 40)
    settings = {
        "environment": "mock",
        "n_simulations": n_simulations,
        "n_valid": held_out,
        "n_test": held_out,
    }
    suites = {
        "whole": mf.load_suite(
            "MockNbody", "Mtot", data=folder / "whole", map_size=SIZE, **settings
        ),
        "cut-outs": mf.load_suite(
            "MockNbody", "Mtot", data=folder / "fine", map_size=2 * SIZE, cutout=SIZE, **settings
        ),
        "masked": mf.load_suite(
            *("MockNbody", "Mtot"),
            data=folder / "fine",
            map_size=2 * SIZE,
            cutout=SIZE,
            mask=str(folder / "mask.npy"),
            **settings,
        ),
    }
    networks = {name: mf.train(suite, recipe="statistics") for name, suite in suites.items()}
    test = suites["whole"].test
    theta = test.theta
    whole = np.array(suites["whole"].maps["Mtot"][test.index])
    fine = np.array(suites["cut-outs"].maps["Mtot"][test.index])
    corner = np.ascontiguousarray(fine[:, :SIZE, :SIZE])
    rng = np.random.default_rng(1)
    noisy = whole * np.exp(rng.normal(0, NOISE, whole.shape)).astype(np.float32)
    cases: list[tuple[str, str, np.ndarray, float]] = [
        ("whole", "whole", whole, 25),
        ("64 pixels, regridded", "whole", fine, 25),
        (f"noise of {100 * NOISE:.0f}% per pixel", "whole", noisy, 25),
        (f"beam of {BEAM:g} pixel", "whole", gaussian_smooth(whole, BEAM), 25),
        ("cut-outs", "cut-outs", corner, 12.5),
        ("64 pixels, 4 tiles", "cut-outs", fine, 25),
        ("masked, filled by hand", "cut-outs", fill_masked(corner, mask), 12.5),
        ("masked", "masked", np.where(mask, np.float32(np.nan), corner), 12.5),
    ]
    rows = []
    for title, name, maps, box in cases:
        posterior = networks[name].infer(maps, box=box)
        rows += [(title, name, *row) for row in score(posterior, theta)]
        say(title)
    return rows


def main() -> None:
    """Print the table."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("data/geometry")
    rows = measure(folder, int(sys.argv[2]) if len(sys.argv) > 2 else 400)
    say(*markdown_table(HEADINGS, rows))


if __name__ == "__main__":
    main()
