"""Scores of a single view, a map and a simulation, for one network and for an ensemble."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from multifield.config.evaluation import BootstrapConfig
from multifield.evaluation.bootstrap import Simulation, simulation_of_rows
from multifield.evaluation.ensembles import (
    average_networks,
    combine_maps,
    combine_posteriors,
    fit_share,
    summarize,
)
from multifield.evaluation.information import Nats, robust_information
from multifield.evaluation.intervals import (
    Interval,
    estimate_intervals,
    estimate_recalibrated_intervals,
)
from multifield.evaluation.metrics import LOG_PROB
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
        interval as ``<metric>_low`` and ``<metric>_high``. Then follow ``sigma_factor``,
        ``recalibrated_chi2`` with its interval, which includes the uncertainty of the factor, and
        ``log_prob``, the information [nats] about all parameters together, equal for all of them.
        None where undefined.
    """
    return [
        {"network": network, "level": level, **row}
        for network, each in predictions.items()
        for level, each_level in _levels(each).items()
        for row in _score(each_level, config)
    ]


class _Level(NamedTuple):
    """Results of one level, with the simulation number of each row."""

    test: Results
    of_test: Simulation
    valid: Results
    of_valid: Simulation
    nats: Nats | None = None  # information of each test row, if it is not that of the results


def _levels(predictions: Predictions) -> dict[str, _Level]:
    valid, test, n_copies = predictions.valid, predictions.test, predictions.n_copies
    valid_maps, test_maps = (average_orientations(each, n_copies) for each in (valid, test))
    of_valid, of_test = (simulation_of_rows(each, 1) for each in (valid_maps, test_maps))
    share = fit_share(valid_maps, of_valid)
    combined = combine_posteriors(test_maps, of_test, share)
    all_test = summarize(combined, test_maps, of_test)
    all_valid = combine_maps(valid_maps, of_valid, share)
    of_test_rows, of_valid_rows = (simulation_of_rows(each, n_copies) for each in (test, valid))
    truth = all_test.theta[:, all_test.columns]
    return {
        "view": _Level(test, of_test_rows, valid, of_valid_rows),
        "map": _Level(test_maps, of_test, valid_maps, of_valid),
        "simulation": _Level(
            *(all_test, np.arange(len(all_test)), all_valid, np.arange(len(all_valid))),
            robust_information(combined, truth),
        ),
    }


def _score(level: _Level, config: BootstrapConfig) -> list[dict[str, str | float | None]]:
    test, of_test, valid, of_valid, nats = level
    factors = fit_sigma_factors(valid, of_valid)
    before = estimate_intervals(test, of_test, config, nats)
    after = estimate_recalibrated_intervals(test, of_test, valid, of_valid, config, ("chi2",))
    of_all = next(iter(before[LOG_PROB].values()), None)
    rows = []
    for name in test.inferred:
        row: dict[str, str | float | None] = {"parameter": name}
        for metric in SHOWN:
            row |= _columns(metric, before[metric].get(name))
        row["sigma_factor"] = factors[name]
        row |= _columns("recalibrated_chi2", after["chi2"].get(name))
        rows.append(row | _columns(LOG_PROB, of_all))
    return rows


def _columns(metric: str, interval: Interval | None) -> dict[str, str | float | None]:
    if interval is None:
        return {metric: None, f"{metric}_low": None, f"{metric}_high": None}
    return {metric: interval.value, f"{metric}_low": interval.low, f"{metric}_high": interval.high}
