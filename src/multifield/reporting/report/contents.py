"""What a report is made of."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from multifield.camels.selection import Selection
from multifield.data.manifest import Manifest
from multifield.evaluation.intervals import Intervals
from multifield.evaluation.metrics import Metrics
from multifield.training import choose_device


@dataclass(frozen=True, kw_only=True, eq=False)
class RunReport:
    """Everything a report says, from the datasets of a run.

    Attributes
    ----------
    trained_on, tested_on : Selection
    parameters : mapping
        All parameters of the run; dataclasses are written as mappings.
    metrics, recalibrated : dict of dict of float
        As metrics.json and metrics_recalibrated.json.
    intervals, recalibrated_intervals : dict of dict of Interval
        As metrics_intervals.json and metrics_recalibrated_intervals.json.
    calibration_tests, levels : sequence of mapping
        Records as their CSV files hold them; None for what is undefined.
    trials : sequence of mapping
        As `multifield.tuning.trials_table` gives.
    study_name : str
    manifests : mapping of str to Manifest
        What the files are of -> their names and checksums.
    figures : mapping of str to bytes
        Name -> PNG, in any order; see `multifield.reporting.report.page.FIGURES`.
    software : dict of str to str
    device : str
        Where the networks ran.
    seconds : float
        Wall time of the process when the report was made.
    date : str
        When that was.
    """

    trained_on: Selection
    tested_on: Selection
    parameters: Mapping[str, Any]
    metrics: Metrics
    recalibrated: Metrics
    intervals: Intervals
    recalibrated_intervals: Intervals
    calibration_tests: Sequence[Mapping[str, Any]]
    levels: Sequence[Mapping[str, Any]]
    trials: Sequence[Mapping[str, Any]]
    study_name: str
    manifests: Mapping[str, Manifest]
    figures: Mapping[str, bytes]
    software: dict[str, str]
    device: str
    seconds: float
    date: str


def describe_device(name: str) -> str:
    """Name the device that a configuration asks for: a GPU by its own name, a CPU by its threads."""
    device = choose_device(name)
    if device.type == "cuda":
        return f"CUDA, {torch.cuda.get_device_name(device)}"
    n_threads = torch.get_num_threads()
    threads = "1 thread" if n_threads == 1 else f"{n_threads} threads"
    return f"{device.type.upper()}, {threads} of {platform.machine()}"
