"""Baselines, networks and exact answers side by side, on the same test maps."""

import logging
from collections.abc import Mapping

import numpy as np

from multifield.evaluation import Results, average_orientations, score_results

logger = logging.getLogger(__name__)

SHOWN = ("RMSE", "R2", "chi2", "epsilon")
Record = dict[str, str | float | None]


def compare(baselines: Mapping[str, Results], networks: Mapping[str, Results]) -> list[Record]:
    """Score everything that inferred the parameters of the same maps.

    Parameters
    ----------
    baselines : mapping of str to Results
        One row a map; what all of them infer.
    networks : mapping of str to Results
        The same maps in one or several orientations, which are averaged to one row a map; scored on what the
        baselines infer.

    Returns
    -------
    records : list of dict
        ``method``, ``parameter`` and the metrics of `SHOWN`, None where one is undefined. The RMSE is logged.

    Raises
    ------
    ValueError
        If the results of a network are of other maps.
    """
    reference = next(iter(baselines.values()))
    averaged = {name: _one_row_a_map(name, found, reference) for name, found in networks.items()}
    records = []
    for name, found in {**baselines, **averaged}.items():
        metrics = score_results(found, reference.inferred)
        for parameter in reference.inferred:
            scores = {metric: metrics[metric].get(parameter) for metric in SHOWN}
            records.append({"method": name, "parameter": parameter, **scores})
        rmse = ", ".join(f"{parameter} {value:.3g}" for parameter, value in metrics["RMSE"].items())
        logger.info("%s: RMSE %s", name, rmse)
    return records


def _one_row_a_map(name: str, results: Results, reference: Results) -> Results:
    """Average orientations, and require the truth of the reference row by row."""
    n_maps = len(reference)
    if len(results) % n_maps:
        raise ValueError(
            f"{name}: expected the {n_maps} test maps, got {len(results)} rows; {ADVICE}"
        )
    averaged = average_orientations(results, len(results) // n_maps)
    if not np.array_equal(averaged.theta, reference.theta, equal_nan=True):
        raise ValueError(f"{name}: expected the parameters of the test maps, got others; {ADVICE}")
    return averaged


ADVICE = "run `multifield run --pipelines evaluate` again, or move its results away"
