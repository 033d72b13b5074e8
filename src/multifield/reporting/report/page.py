"""Render the HTML page of a report."""

import base64
import re
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from pydantic_core import to_jsonable_python

from multifield import camels
from multifield.reporting.figures.style import test_title
from multifield.reporting.report import tables
from multifield.reporting.report.contents import RunReport
from multifield.tuning import MIN_TRIALS

TEMPLATE = "report.html.j2"
N_TRIALS = 10  # in the table of the best trials
OTHER_STAGES = {  # parameters that had no part in the results on the page
    *("recipes", "maps", "network", "prediction", "card", "baselines", "robustness"),
    *("select_fields", "explain"),
}

FIGURES = {
    "true_against_predicted": "Posterior means against the truth, with error bars of one standard "
    "deviation. Lower panels: pulls, (mean - truth) / std.",
    "residuals": "Errors against the truth, and pulls beside a unit Gaussian. Squares that fall "
    "from left to right show a network that regresses to the prior mean.",
    "calibration": "Coverage, PIT and pulls of every map in every orientation. Calibrated "
    "posteriors follow the black lines. Coverage below the diagonal: standard deviations that are "
    "too small.",
    "contours": "68% regions of test maps in the plane of the first two parameters, one map per "
    "simulation. Crosses: truth.",
    "corner": "Joint posterior of one map: 68% and 95% regions, and marginal densities. Grey lines: "
    "all maps of its simulation. Black: truth. Grey areas are outside the prior.",
    "losses": "Losses of all trials per epoch.",
    "study_history": "Validation losses of the trials in their order.",
    "importance": "Importance of each hyperparameter for a trial to be among the best (PED-ANOVA).",
    "parallel_coordinates": "Hyperparameters and loss of the trials, one line per trial. Dark "
    "lines have low losses, and the best trial is red.",
    "typical_and_worst": "Maps with a typical chi2 (nearest to the median) and with the largest, at "
    "most one per simulation. chi2 is the mean squared pull over the parameters.",
    "saliency": "Attribution of the posterior means to pixels. Red pixels raise the mean, blue "
    "pixels lower it.",
    "spectra": "Median power spectra of the training log maps with low, middle and high values of "
    "each parameter. Bands contain 68% of their simulations.",
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
    """Render the page: one HTML file with embedded figures. It loads nothing and runs no script.

    All text is escaped, including names of studies, paths and parameters.

    Parameters
    ----------
    report : RunReport
        Data of the report.

    Returns
    -------
    page : str
        The HTML page.

    Raises
    ------
    ValueError
        If a figure has no caption, or a caption no figure.
    """
    if set(report.figures) != set(FIGURES):
        raise ValueError(
            f"figures: Expected {', '.join(FIGURES)}, got {', '.join(report.figures)}."
        )
    return fill_template(TEMPLATE, report.trained_on.simulations.space, **_fill(report))


def fill_template(
    template: str, space: camels.ParameterSpace = camels.CMD, **variables: Any
) -> str:
    """Render a page of this folder. All text is escaped.

    Parameters
    ----------
    template : str
        Name of the template, which extends ``page.html.j2``.
    space : ParameterSpace, optional
        Parameters of the numbers. By default CMD's six.
    **variables : object
        Variables of the template.

    Returns
    -------
    page : str
        The HTML page.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["symbol"] = partial(_symbol, space=space)
    logarithms = any(each.scale == "log" for each in space)
    return environment.get_template(template).render(variables, logarithms=logarithms)


def _fill(report: RunReport) -> dict[str, Any]:
    """Give the template its variables."""
    parameters = to_jsonable_python(report.parameters)
    suites = (report.trained_on.suite, report.tested_on.suite)
    best, *_ = tables.best_trials(report.trials, 1)
    return {
        "report": report,
        "mock": any(camels.find_suite(suite).mock for suite in suites),
        "title": test_title(
            report.trained_on.field, report.trained_on.suite, report.tested_on
        ).replace("\n", ", "),
        "best": best,
        "n_complete": sum(trial["state"] == "COMPLETE" for trial in report.trials),
        "trial_seconds": tables.duration(sum(trial["seconds"] or 0 for trial in report.trials)),
        "wall_time": tables.duration(report.seconds),
        "information": tables.information_cells(report),
        "key_headings": list(tables.KEY_METRICS),
        "key_rows": tables.key_rows(report),
        "sigma_factors": report.recalibrated["sigma_factor"],
        "verdict_rows": tables.verdict_rows(report),
        "calibration_summary": tables.calibration_summary(report),
        "calibration_rows": tables.calibration_rows(report),
        "level_headings": list(tables.LEVEL_METRICS),
        "level_rows": tables.level_rows(report),
        "published": tables.PUBLISHED,
        "trials": tables.best_trials(report.trials, N_TRIALS),
        "seeds": tables.find_seeds(parameters),
        "configuration": _without_users(
            yaml.safe_dump(
                {key: parameters[key] for key in parameters if key not in OTHER_STAGES},
                sort_keys=False,
            )
        ),
        "few_trials": sum(trial["state"] == "COMPLETE" for trial in report.trials) < MIN_TRIALS,
        "zeros_got_a_floor": parameters.get("preprocessing", {}).get("zeros") == "floor",
        "level": 100 * parameters["evaluation"]["bootstrap"]["level"],
        "figures": {name: inline(png) for name, png in report.figures.items()},
        "captions": FIGURES,
    }


def _symbol(name: str, space: camels.ParameterSpace) -> Markup:
    """Format the coordinate of one parameter, or of several joined with +, as HTML."""
    symbols = []
    for part in name.split("+"):
        is_log = part in space.names and space[part].scale == "log"
        prefix = Markup("log<sub>10</sub>&nbsp;") if is_log else Markup()
        symbols.append(prefix + _SYMBOLS.get(part, part))
    return Markup(", ").join(symbols)


def inline(png: bytes) -> str:
    """Encode a PNG as the source of an image."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _without_users(text: str) -> str:
    """Remove user and password from URLs."""
    return _USER_IN_URL.sub("", text)
