"""Scores of baselines, networks and exact posteriors on the same test maps."""

import logging
from collections.abc import Mapping

import numpy as np

from multifield.evaluation import Results, average_orientations, score_results

logger = logging.getLogger(__name__)

SHOWN = ("RMSE", "R2", "chi2", "epsilon")
Record = dict[str, str | float | None]


def compare(baselines: Mapping[str, Results], networks: Mapping[str, Results]) -> list[Record]:
    """Score all results for the same maps. The RMSE is logged.

    Parameters
    ----------
    baselines : mapping of str to Results
        Results of baselines and exact posteriors, one row per map.
    networks : mapping of str to Results
        Results of networks on the same maps. Orientations are averaged to one row per map. Only
        parameters that the baselines infer are scored.

    Returns
    -------
    records : list of dict
        One record per method and parameter: ``method``, ``parameter`` and the metrics of `SHOWN`.
        A metric is None if it is undefined.

    Raises
    ------
    ValueError
        If the results of a network are for other maps.
    """
    reference = next(iter(baselines.values()))
    averaged = {name: _one_row_per_map(name, found, reference) for name, found in networks.items()}
    records = []
    for name, found in {**baselines, **averaged}.items():
        metrics = score_results(found, reference.inferred)
        for parameter in reference.inferred:
            scores = {metric: metrics[metric].get(parameter) for metric in SHOWN}
            records.append({"method": name, "parameter": parameter, **scores})
        rmse = ", ".join(f"{parameter} {value:.3g}" for parameter, value in metrics["RMSE"].items())
        logger.info("%s: RMSE %s", name, rmse)
    return records


def _one_row_per_map(name: str, results: Results, reference: Results) -> Results:
    """Average orientations and check that the true parameters equal those of the reference."""
    n_maps = len(reference)
    if len(results) % n_maps:
        raise ValueError(
            f"{name}: Expected results of the {n_maps} test maps, got {len(results)} rows. {ADVICE}"
        )
    averaged = average_orientations(results, len(results) // n_maps)
    if not np.array_equal(averaged.theta, reference.theta, equal_nan=True):
        raise ValueError(
            f"{name}: Expected the true parameters of the test maps, got others. {ADVICE}"
        )
    return averaged


ADVICE = "Run `multifield run --pipelines evaluate` again, or remove its results."
