"""Scores of a single view, a map and a simulation, for one network and for an ensemble."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from multifield.config.evaluation import BootstrapConfig
from multifield.evaluation.bootstrap import Simulation, simulation_of_rows
from multifield.evaluation.ensembles import average_networks, combine_maps, fit_share
from multifield.evaluation.intervals import (
    Interval,
    estimate_intervals,
    estimate_recalibrated_intervals,
)
from multifield.evaluation.recalibration import fit_sigma_factors
from multifield.evaluation.results import Results, average_orientations

SHOWN = ("RMSE", "chi2", "epsilon", "R2")


@dataclass(frozen=True, eq=False)
class Predictions:
    """Posteriors of validation and test maps by one network or an ensemble.

    Attributes
    ----------
    valid, test : Results
        Rows ordered (copy, simulation, map). Validation maps are from the training suite; test maps
        are from any suite.
    n_copies : int
        Number of copies of each map: orientations, or orientations times shifts.
    """

    valid: Results
    test: Results
    n_copies: int


def name_predictions(
    valid: Sequence[Results], test: Sequence[Results], n_copies: int
) -> dict[str, Predictions]:
    """Name the predictions of the best network and, if there are several, of their ensemble.

    Parameters
    ----------
    valid, test : sequence of Results
        Posteriors of validation and test maps by each network, best first.
    n_copies : int
        Number of copies of each map: orientations, or orientations times shifts.

    Returns
    -------
    predictions : dict of Predictions
        ``best`` and, for k > 1 networks, ``ensemble_<k>``.
    """
    named = {"best": Predictions(valid[0], test[0], n_copies)}
    if len(test) > 1:
        both = average_networks(valid), average_networks(test)
        named[f"ensemble_{len(test)}"] = Predictions(*both, n_copies)
    return named


def compare_levels(
    predictions: Mapping[str, Predictions], config: BootstrapConfig
) -> list[dict[str, str | float | None]]:
    """Score the posteriors of a single view, of a map and of a simulation.

    ``view`` scores every copy of a map by itself. ``map`` averages the copies
    (`average_orientations`). ``simulation`` also combines the maps of a simulation
    (`combine_maps`), with the share from validation maps. Each level is recalibrated with
    factors from the validation posteriors of the same level.

    Parameters
    ----------
    predictions : mapping of str to Predictions
        Name of a network or ensemble -> its predictions.
    config : BootstrapConfig
        Number of resamples, seed and level of the intervals.

    Returns
    -------
    rows : list of dict
        ``network``, ``level``, ``parameter``, and each metric of `SHOWN` with the ends of its
        interval as ``<metric>_low`` and ``<metric>_high``. Then follow ``sigma_factor``, and
        ``recalibrated_chi2`` with its interval, which includes the uncertainty of the factor. None
        where undefined.
    """
    return [
        {"network": network, "level": level, **row}
        for network, each in predictions.items()
        for level, sets in _levels(each).items()
        for row in _score(*sets, config)
    ]


def _levels(predictions: Predictions) -> dict[str, tuple[Results, Simulation, Results, Simulation]]:
    """Give test and validation results of each level with the simulation number of each row."""
    valid, test, n_copies = predictions.valid, predictions.test, predictions.n_copies
    valid_maps, test_maps = (average_orientations(each, n_copies) for each in (valid, test))
    of_valid, of_test = (simulation_of_rows(each, 1) for each in (valid_maps, test_maps))
    share = fit_share(valid_maps, of_valid)
    all_test = combine_maps(test_maps, of_test, share)
    all_valid = combine_maps(valid_maps, of_valid, share)
    of_test_rows, of_valid_rows = (simulation_of_rows(each, n_copies) for each in (test, valid))
    return {
        "view": (test, of_test_rows, valid, of_valid_rows),
        "map": (test_maps, of_test, valid_maps, of_valid),
        "simulation": (all_test, np.arange(len(all_test)), all_valid, np.arange(len(all_valid))),
    }


def _score(
    test: Results,
    of_test: Simulation,
    valid: Results,
    of_valid: Simulation,
    config: BootstrapConfig,
) -> list[dict[str, str | float | None]]:
    factors = fit_sigma_factors(valid, of_valid)
    before = estimate_intervals(test, of_test, config)
    after = estimate_recalibrated_intervals(test, of_test, valid, of_valid, config, ("chi2",))
    rows = []
    for name in test.inferred:
        row: dict[str, str | float | None] = {"parameter": name}
        for metric in SHOWN:
            row |= _columns(metric, before[metric].get(name))
        row["sigma_factor"] = factors[name]
        rows.append(row | _columns("recalibrated_chi2", after["chi2"].get(name)))
    return rows


def _columns(metric: str, interval: Interval | None) -> dict[str, str | float | None]:
    if interval is None:
        return {metric: None, f"{metric}_low": None, f"{metric}_high": None}
    return {metric: interval.value, f"{metric}_low": interval.low, f"{metric}_high": interval.high}
