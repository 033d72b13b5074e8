"""Scores of predictions: metrics with intervals, joint log-probability, calibration tests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from multifield.config.evaluation import BootstrapConfig, CalibrationConfig
from multifield.evaluation import (
    Interval,
    check_calibration,
    estimate_differences,
    estimate_intervals,
    score_results,
    simulation_of_rows,
)
from multifield.evaluation.bootstrap import Resamples, Simulation
from multifield.evaluation.intervals import Intervals, percentile_interval
from multifield.evaluation.joint import prior_ranges
from multifield.evaluation.metrics import Metrics
from multifield.studies.scoring.draws import check_draws
from multifield.studies.scoring.tables import Predictions

LOG_PROB = "log_prob"
"""Name of the joint log-probability in tables."""
Record = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of one file.

    Attributes
    ----------
    predictions : Predictions
        What is scored.
    simulation : (M,) int64
        Simulation number of each row.
    metrics : dict of dict of float
        Metric -> parameter -> value, as in metrics.json of `evaluate`.
    intervals : dict of dict of Interval
        Their intervals. Empty with a single simulation.
    log_prob : (M,) float64
        Joint log-probability of the truth of each row [nats against the uniform prior]. Posteriors
        are independent Gaussians, or Gaussians with the covariance of the draws.
    log_prob_interval : Interval or None
        Its mean with its interval. None with a single simulation.
    tests : list of dict
        Calibration tests: ``parameter``, ``test``, ``statistic`` and ``p_value``.
    """

    predictions: Predictions
    simulation: Simulation
    metrics: Metrics
    intervals: Intervals
    log_prob: Float64[np.ndarray, " M"]
    log_prob_interval: Interval | None
    tests: Sequence[Record]


def score_predictions(
    predictions: Predictions, bootstrap: BootstrapConfig, calibration: CalibrationConfig
) -> Scores:
    """Score predictions as `evaluate` scores those of our networks.

    Parameters
    ----------
    predictions : Predictions
        Predictions from `read_predictions`.
    bootstrap : BootstrapConfig
        Number of resamples of simulations, seed and level of the intervals.
    calibration : CalibrationConfig
        Draws and seed of the calibration tests.

    Returns
    -------
    scores : Scores
        Metrics, intervals, log-probabilities and tests.
    """
    results = predictions.results
    simulation = simulation_of_rows(
        results, predictions.n_orientations, predictions.maps_per_simulation
    )
    log_prob = compute_log_prob(predictions)
    tests: Sequence[Record]
    if predictions.draws is None:
        tests = check_calibration(results, simulation, bootstrap, calibration)
    else:
        tests = check_draws(
            predictions.draws,
            results.truth,
            results.inferred,
            simulation,
            bootstrap,
            calibration.seed,
            results.space,
        )
    return Scores(
        predictions,
        simulation,
        score_results(results),
        estimate_intervals(results, simulation, bootstrap),
        log_prob,
        mean_interval(log_prob, simulation, bootstrap),
        tests,
    )


def compute_log_prob(predictions: Predictions) -> Float64[np.ndarray, " M"]:
    """Compute the joint log-probability of the truth of each row.

    Parameters
    ----------
    predictions : Predictions
        Predictions of M rows.

    Returns
    -------
    log_prob : (M,) float64
        Logarithm of posterior over prior density [nats], of Gaussian posteriors.

    Raises
    ------
    ValueError
        If the covariance of the draws of a map is singular.
    """
    results = predictions.results
    if predictions.draws is None:
        return results.posterior.log_prob(results.truth)
    _, width = prior_ranges(results.inferred, results.space)
    draws = predictions.draws / width
    centered = draws - draws.mean(axis=1, keepdims=True)
    covariance = np.einsum("mni,mnj->mij", centered, centered) / (draws.shape[1] - 1)
    sign, log_det = np.linalg.slogdet(2 * np.pi * covariance)
    if (sign <= 0).any():
        raise ValueError(
            "draws: Expected more draws than parameters, with a covariance that is not singular, "
            f"got another one for the map in row {int(np.argmin(sign > 0))}."
        )
    error = results.truth / width - draws.mean(axis=1)
    solved = np.linalg.solve(covariance, error[..., None])[..., 0]
    log_prob: np.ndarray = -0.5 * (np.sum(error * solved, axis=1) + log_det)
    return log_prob


def mean_interval(
    values: Float64[np.ndarray, " M"], simulation: Simulation, bootstrap: BootstrapConfig
) -> Interval | None:
    """Estimate the interval of a mean over rows by resampling simulations.

    Parameters
    ----------
    values : (M,) float64
        One value per row.
    simulation : (M,) int64
        Simulation number of each row.
    bootstrap : BootstrapConfig
        Number of resamples, seed and level.

    Returns
    -------
    interval : Interval or None
        Mean with its interval. None with a single simulation.
    """
    resamples = Resamples(simulation, bootstrap)
    if resamples.n_simulations == 1:
        return None
    means = resamples.totals(values) / resamples.sizes()
    return percentile_interval(float(values.mean()), means, bootstrap.level)


def compare_scores(scores: Mapping[str, Scores], bootstrap: BootstrapConfig) -> list[Record]:
    """Compare every file with the first, on the same resamples of simulations.

    Parameters
    ----------
    scores : mapping of str to Scores
        Name of a file -> its scores.
    bootstrap : BootstrapConfig
        Number of resamples, seed and level of the intervals.

    Returns
    -------
    records : list of dict
        ``file``, ``reference``, ``parameter``, ``metric``, ``difference``, ``low`` and ``high``.
        Files whose true parameters differ from those of the first are left out.
    """
    reference, *others = scores
    first = scores[reference]
    records = []
    for name in others:
        found = scores[name]
        if not can_be_paired(found, first):
            continue
        names = {"file": name, "reference": reference}
        both = "+".join(found.predictions.results.inferred)
        if found.predictions.results.inferred == first.predictions.results.inferred:
            gain = mean_interval(found.log_prob - first.log_prob, found.simulation, bootstrap)
            records += [{**names, **_difference(both, LOG_PROB, gain)}] if gain else []
        differences = estimate_differences(
            found.predictions.results, first.predictions.results, found.simulation, bootstrap
        )
        records += [
            {**names, **_difference(parameter, metric, interval)}
            for metric, intervals in differences.items()
            for parameter, interval in intervals.items()
        ]
    return records


def can_be_paired(scores: Scores, reference: Scores) -> bool:
    """Tell whether two files predict the same maps.

    Parameters
    ----------
    scores, reference : Scores
        Scores of two files.

    Returns
    -------
    paired : bool
        Whether rows, simulations and true parameters agree.
    """
    ours, theirs = scores.predictions, reference.predictions
    shared = [name for name in ours.results.inferred if name in theirs.results.inferred]
    return (
        np.array_equal(scores.simulation, reference.simulation)
        and bool(shared)
        and all(
            np.array_equal(ours.results.of(name)[0], theirs.results.of(name)[0]) for name in shared
        )
    )


def _difference(parameter: str, metric: str, interval: Interval) -> Record:
    return {
        "parameter": parameter,
        "metric": metric,
        "difference": interval.value,
        "low": interval.low,
        "high": interval.high,
    }
