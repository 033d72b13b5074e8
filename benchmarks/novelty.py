"""Share of changed maps that are flagged as out-of-distribution.

    python -m benchmarks.novelty [folder [number of simulations]]

Maps of MockNbody and MockTNG have 64 pixels. The reference is fitted to five eighths of the
simulations and calibrated on half of the others; the rest is changed and tested. Shares are
averages over eight random splits. The folder stores the maps.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

import multifield as mf
from benchmarks.measure import markdown_table, say
from multifield.config.prediction import NoveltyConfig
from multifield.core.arrays import Maps
from multifield.data import MapLoader, Normalization
from multifield.maps import gaussian_smooth, log_transform, maps_of
from multifield.prediction import novelty

CONFIG = NoveltyConfig(n_bins=8, n_quantiles=8, level=0.01)
N_SPLITS = 8
CASES = {"MockNbody": ("Mtot",), "MockTNG": ("Mgas", "T", "HI")}
HEADINGS = ("maps", "Mtot", "Mgas", "T", "HI")


def change(maps: Maps) -> dict[str, Maps]:
    """Change maps in several ways.

    Parameters
    ----------
    maps : (M, L, L) float32
        Maps of one field.

    Returns
    -------
    changed : dict of str to (M, L, L) float32
        Changed maps by their description.
    """
    rng = np.random.default_rng(1)
    hot = maps.copy()
    hot[:, 3, 7] *= np.float32(1e4)
    factors = {f"times {factor:g}": maps * np.float32(factor) for factor in (1.3, 3, 10, 0.1)}
    noise = np.exp(np.float32(0.1) * rng.normal(size=maps.shape).astype(np.float32))
    return {
        "unchanged": maps,
        **factors,
        "noise of 10% per pixel": maps * noise,
        "beam of 0.3 pixels": gaussian_smooth(maps, 0.3),
        "beam of 0.5 pixels": gaussian_smooth(maps, 0.5),
        "beam of 1 pixel": gaussian_smooth(maps, 1.0),
        "to the power of 1.2": maps ** np.float32(1.2),
        "a pixel times 10,000": hot,
    }


def measure(maps: Maps, field: str, scale: Normalization) -> np.ndarray:
    """Compute the summary statistics of maps.

    Parameters
    ----------
    maps : (M, L, L) float32
        Maps of one field.
    field : str
        Name of the field.
    scale : Normalization
        Mean and standard deviation of the log maps.

    Returns
    -------
    statistics : (M, D) float64
        Summary statistics of each map.
    """
    unknown = np.full((len(maps), 6), np.nan)
    loader = MapLoader(
        [log_transform(maps, field)], unknown, None, scale, batch_size=256, inferred=(0, 1)
    )
    return novelty.measure(loader, CONFIG.n_bins, CONFIG.n_quantiles)


def share_flagged(statistics: Mapping[str, np.ndarray], n_simulations: int) -> dict[str, float]:
    """Compute the share of flagged maps of test simulations.

    Parameters
    ----------
    statistics : mapping of str to (M, D) float64
        Summary statistics of the maps of all simulations, unchanged and changed.
    n_simulations : int
        Number of simulations.

    Returns
    -------
    shares : dict of str to float
        Share of each change, averaged over splits.
    """
    shares: dict[str, list[float]] = {title: [] for title in statistics}
    for seed in range(N_SPLITS):
        order = np.random.default_rng(seed).permutation(n_simulations)
        first, second = 5 * n_simulations // 8, 13 * n_simulations // 16
        parts = (order[:first], order[first:second], order[second:])
        train, valid, test = (maps_of(tuple(part.tolist())) for part in parts)
        unchanged = statistics["unchanged"]
        reference = novelty.fit_reference(unchanged[train], unchanged[valid], CONFIG, 1)
        for title, each in statistics.items():
            p_values = reference.p_values(reference.distances(each[test]))
            shares[title].append(float(reference.flag(p_values).mean()))
    return {title: float(np.mean(values)) for title, values in shares.items()}


def main() -> None:
    """Print the table."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("data/novelty")
    n_simulations = int(sys.argv[2]) if len(sys.argv) > 2 else 480
    columns = []
    for name, fields in CASES.items():
        suite = mf.load_suite(
            name,
            fields,
            data=folder,
            environment="mock",
            map_size=64,
            n_simulations=n_simulations,
            n_valid=n_simulations // 4,
            n_test=n_simulations // 4,
        )
        for number, field in enumerate(fields):
            scale = suite.normalization
            own = Normalization(
                over=scale.over,
                fields=(field,),
                mean=scale.mean[number : number + 1],
                std=scale.std[number : number + 1],
            )
            changed = change(np.array(suite.maps[field]))
            statistics = {title: measure(each, field, own) for title, each in changed.items()}
            columns.append(share_flagged(statistics, n_simulations))
            say(f"{name} {field}")
    rows = [(title, *(f"{100 * each[title]:.1f}%" for each in columns)) for title in columns[0]]
    say(*markdown_table(HEADINGS, rows))


if __name__ == "__main__":
    main()
