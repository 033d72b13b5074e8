"""Files and pages of the scores of predictions."""

import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from multifield import reporting
from multifield.config.evaluation import BootstrapConfig, CalibrationConfig
from multifield.core import versions
from multifield.core.atomic_files import atomic_path
from multifield.core.checksums import sha256
from multifield.reporting import ScoreReport
from multifield.studies.scoring.scores import (
    LOG_PROB,
    Scores,
    compare_scores,
    score_predictions,
)
from multifield.studies.scoring.tables import Layout, read_predictions


def score_files(
    paths: Sequence[Path],
    layout: Layout,
    folder: Path,
    bootstrap: BootstrapConfig,
    calibration: CalibrationConfig,
) -> tuple[Path, dict[str, Scores]]:
    """Score files of predictions, and write metrics, figures and pages.

    All files are read before anything is written.

    Parameters
    ----------
    paths : sequence of Path
        Files of predictions; see `read_predictions`.
    layout : Layout
        How they are read.
    folder : Path
        Target folder. With several files it gets one folder per file, and the comparison.
    bootstrap : BootstrapConfig
        Number of resamples of simulations, seed and level of the intervals.
    calibration : CalibrationConfig
        Draws and seed of the calibration tests.

    Returns
    -------
    page : Path
        ``report.html`` of the only file, or ``comparison.html``.
    scores : dict of str to Scores
        Name of a file, without its suffix -> its scores.

    Raises
    ------
    ValueError
        If a file cannot be scored, or two files have the same name.
    """
    by_name: dict[str, Path] = {}
    for path in paths:
        if path.stem in by_name:
            raise ValueError(
                f"FILE: Expected files with different names, got {by_name[path.stem]} and {path}. "
                "Rename one."
            )
        by_name[path.stem] = path
    scores = {}
    for name, path in by_name.items():
        predictions = read_predictions(path, layout)
        try:
            scores[name] = score_predictions(predictions, bootstrap, calibration)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
    several = len(scores) > 1
    reports = [
        _write_scores(found, name, by_name[name], folder / name if several else folder, bootstrap)
        for name, found in scores.items()
    ]
    if not several:
        return folder / "report.html", scores
    differences = compare_scores(scores, bootstrap)
    _write(folder / "scores.csv", pd.DataFrame(list_scores(scores)).to_csv(index=False))
    _write(folder / "differences.csv", pd.DataFrame(differences).to_csv(index=False))
    page = folder / "comparison.html"
    _write(page, reporting.render_comparison(reports, differences))
    return page, scores


def list_scores(scores: dict[str, Scores]) -> list[dict[str, Any]]:
    """List the scores of all files in one table.

    Parameters
    ----------
    scores : dict of str to Scores
        Name of a file -> its scores.

    Returns
    -------
    records : list of dict
        ``file``, ``parameter``, ``metric``, ``value``, ``low`` and ``high``. The ends are None
        with a single simulation.
    """
    records = []
    for file, found in scores.items():
        both = "+".join(found.predictions.results.inferred)
        values = {**found.metrics, LOG_PROB: {both: float(found.log_prob.mean())}}
        intervals = dict(found.intervals)
        if found.log_prob_interval:
            intervals[LOG_PROB] = {both: found.log_prob_interval}
        for metric, of_parameters in values.items():
            for parameter, value in of_parameters.items():
                interval = intervals.get(metric, {}).get(parameter)
                names = {"file": file, "parameter": parameter, "metric": metric}
                ends = (interval.low, interval.high) if interval else (None, None)
                records.append({**names, "value": value, "low": ends[0], "high": ends[1]})
    return records


def _write_scores(
    scores: Scores, name: str, path: Path, folder: Path, bootstrap: BootstrapConfig
) -> ScoreReport:
    """Write metrics, tests, figures and the page of one file."""
    figures = {}
    for figure_name, figure in _draw(scores, name, bootstrap).items():
        place = folder / "figures" / figure_name
        figures[figure_name] = _save(figure, place.with_suffix(".png"), "png")
        _save(figure, place.with_suffix(".pdf"), "pdf")
    mean = float(scores.log_prob.mean())
    interval = scores.log_prob_interval
    intervals = {
        metric: {parameter: asdict(each) for parameter, each in found.items()}
        for metric, found in scores.intervals.items()
    }
    _write_json(folder / "metrics.json", scores.metrics)
    _write_json(folder / "metrics_intervals.json", intervals)
    _write_json(folder / "log_prob.json", asdict(interval) if interval else {"value": mean})
    _write(folder / "calibration_tests.csv", pd.DataFrame(scores.tests).to_csv(index=False))
    predictions = scores.predictions
    report = ScoreReport(
        name=name,
        sha256=sha256(path),
        metrics=scores.metrics,
        intervals=scores.intervals,
        log_prob=mean,
        log_prob_interval=interval,
        tests=scores.tests,
        space=predictions.results.space,
        figures=figures,
        n_rows=len(predictions.results),
        n_simulations=int(scores.simulation.max()) + 1,
        n_orientations=predictions.n_orientations,
        n_draws=0 if predictions.draws is None else predictions.draws.shape[1],
        level=bootstrap.level,
        software=versions.describe_software(),
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )
    _write(folder / "report.html", reporting.render_scores(report))
    return report


def _draw(scores: Scores, name: str, bootstrap: BootstrapConfig) -> dict[str, Figure]:
    """Draw the figures of a file; its name is their title."""
    predictions = scores.predictions
    results, copies = predictions.results, predictions.n_orientations
    return {
        "true_against_predicted": reporting.figures.true_against_predicted(
            results, "", name, n_orientations=copies
        ),
        "residuals": reporting.figures.residuals(
            results,
            "",
            name,
            n_orientations=copies,
            maps_per_simulation=predictions.maps_per_simulation,
        ),
        "calibration": reporting.figures.calibration(
            results, None, scores.simulation, bootstrap, "", name
        ),
    }


def _save(figure: Figure, path: Path, form: str) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=form)
    with atomic_path(path) as partial:
        partial.write_bytes(buffer.getvalue())
    return buffer.getvalue()


def _write(path: Path, text: str) -> None:
    with atomic_path(path) as partial:
        partial.write_text(text, encoding="utf-8")


def _write_json(path: Path, content: Any) -> None:
    _write(path, json.dumps(content, indent=2) + "\n")
