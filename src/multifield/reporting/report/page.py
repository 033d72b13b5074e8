"""From the contents of a report to its page."""

import base64
import re
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from pydantic_core import to_jsonable_python

from multifield import camels
from multifield.reporting.report import tables
from multifield.reporting.report.contents import RunReport

TEMPLATE = "report.html.j2"
N_TRIALS = 10  # in the table of the best

FIGURES = {
    "true_against_predicted": "Posterior means against the truth, with 1 sigma errors, and the errors in "
    "units of sigma below.",
    "residuals": "Errors against the truth, and the pulls of maps beside a unit Gaussian. Squares off the "
    "line mean that the network draws its answers to the middle of the prior.",
    "calibration": "Coverage, PIT and pulls of every look at every map. Right posteriors follow the black "
    "lines. Below the diagonal of coverage errors are too small.",
    "losses": "Losses of all trials, epoch by epoch.",
    "study_history": "The trials of the study in their order.",
    "importance": "How much each hyperparameter decides whether a trial is among the best (PED-ANOVA).",
    "parallel_coordinates": "Each line is a trial; dark ones are good.",
    "best_and_worst": "The maps inferred best and worst, at most one a simulation. chi2 is the mean squared "
    "pull over the parameters.",
    "saliency": "Which pixels the posterior means come from. Red pixels raise the mean, blue ones lower it.",
    "spectra": "Power spectra of the log maps trained on, a line a simulation.",
}
"""Name -> caption; the order is the template's."""

_SYMBOLS = {
    "Omega_m": Markup("&Omega;<sub>m</sub>"),
    "sigma_8": Markup("&sigma;<sub>8</sub>"),
    **{
        name: Markup("A<sub>{}</sub>").format(name.removeprefix("A_"))
        for name in camels.PARAMETER_NAMES[2:]
    },
}
_USER_IN_URL = re.compile(r"(?<=://)[^/@\s]+@")


def render_report(report: RunReport) -> str:
    """Make the page: one file of HTML with its pictures in it, which loads nothing and runs no script.

    Every text is escaped, whatever a study, a path or a parameter is called.

    Parameters
    ----------
    report : RunReport

    Returns
    -------
    page : str

    Raises
    ------
    ValueError
        If a figure has no caption, or a caption no figure.
    """
    if set(report.figures) != set(FIGURES):
        raise ValueError(f"figures: expected {', '.join(FIGURES)}, got {', '.join(report.figures)}")
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["symbol"] = _symbol
    return environment.get_template(TEMPLATE).render(_fill(report))


def _fill(report: RunReport) -> dict[str, Any]:
    """Give the template what it names."""
    parameters = to_jsonable_python(report.parameters)
    suites = (report.trained_on.suite, report.tested_on.suite)
    best, *_ = tables.best_trials(report.trials, 1)
    return {
        "report": report,
        "mock": any(camels.find_suite(suite).mock for suite in suites),
        "title": _title(report),
        "best": best,
        "n_complete": sum(trial["state"] == "COMPLETE" for trial in report.trials),
        "trial_seconds": tables.duration(sum(trial["seconds"] or 0 for trial in report.trials)),
        "wall_time": tables.duration(report.seconds),
        "key_headings": list(tables.KEY_METRICS),
        "key_rows": tables.key_rows(report),
        "sigma_factors": report.recalibrated["sigma_factor"],
        "calibration_summary": tables.calibration_summary(report),
        "calibration_rows": tables.calibration_rows(report),
        "level_headings": list(tables.LEVEL_METRICS),
        "level_rows": tables.level_rows(report),
        "published": tables.PUBLISHED,
        "trials": tables.best_trials(report.trials, N_TRIALS),
        "seeds": tables.find_seeds(parameters),
        "configuration": _without_users(yaml.safe_dump(parameters, sort_keys=False)),
        "level": 100 * parameters["evaluation"]["bootstrap"]["level"],
        "figures": {name: _inline(png) for name, png in report.figures.items()},
        "captions": FIGURES,
    }


def _title(report: RunReport) -> str:
    trained = _name(report.trained_on.suite, report.trained_on.field)
    if report.tested_on == report.trained_on:
        return trained
    tested = _name(report.tested_on.suite, report.tested_on.field)
    return f"{trained}, tested on {tested}, {report.tested_on.sim_set}"


def _name(suite: str, field: str) -> str:
    mock = " (mock)" if camels.find_suite(suite).mock else ""
    return f"{field.replace('_', ' + ')} of {suite}{mock}"


def _symbol(name: str) -> Markup:
    """Set the name of a parameter, or several joined with +, for print."""
    return Markup(", ").join(_SYMBOLS.get(part, part) for part in name.split("+"))


def _inline(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _without_users(text: str) -> str:
    """Leave out user and password of addresses."""
    return _USER_IN_URL.sub("", text)
