"""The data of a report."""

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
    """All data of a report, from the datasets of a run.

    Attributes
    ----------
    trained_on, tested_on : Selection
        Suite, set and fields of the training and of the test maps.
    parameters : mapping
        All parameters of the run. Dataclasses are written as mappings.
    metrics, recalibrated : dict of dict of float
        Metrics before and after recalibration, as in metrics.json and metrics_recalibrated.json.
    intervals, recalibrated_intervals : dict of dict of Interval
        Their intervals, as in metrics_intervals.json and metrics_recalibrated_intervals.json.
    calibration_tests, levels : sequence of mapping
        Records of the CSV files, with None for undefined values.
    trials : sequence of mapping
        Trials of the study, from `multifield.tuning.trials_table`.
    study_name : str
        Name of the study.
    manifests : mapping of str to Manifest
        Use of the files (such as training) -> their names and checksums.
    figures : mapping of str to bytes
        Name -> PNG, with the names of `multifield.reporting.report.page.FIGURES`.
    software : dict of str to str
        Versions of the software, and the commit.
    device : str
        Device of the networks.
    seconds : float
        Wall time of the process when the report was made.
    date : str
        Date and time of the report.
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
    """Describe the device of a configuration: the name of a GPU, or the number of CPU threads.

    Parameters
    ----------
    name : {"auto", "cpu", "cuda", "mps"}
        Device in the configuration.

    Returns
    -------
    device : str
        Text for the report.
    """
    device = choose_device(name)
    if device.type == "cuda":
        return f"CUDA, {torch.cuda.get_device_name(device)}"
    n_threads = torch.get_num_threads()
    threads = "1 thread" if n_threads == 1 else f"{n_threads} threads"
    return f"{device.type.upper()}, {threads} of {platform.machine()}"
