"""The page is self-contained and escaped, and marks mock data and failed tests."""

import base64
import re
from html.parser import HTMLParser

import pytest

from multifield import camels
from multifield.camels.selection import Selection
from multifield.config.evaluation import BootstrapConfig, CalibrationConfig
from multifield.data.manifest import FileRecord, Manifest
from multifield.evaluation import (
    Predictions,
    compare_calibration,
    compare_levels,
    estimate_intervals,
    estimate_recalibrated_intervals,
    fit_sigma_factors,
    recalibrate,
    score_recalibrated,
    score_results,
    simulation_of_rows,
)
from multifield.reporting import RunReport, render_report
from multifield.reporting.report import page, tables

BOOTSTRAP = BootstrapConfig(n_resamples=100, level=0.9, seed=3)
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)  # one pixel
HOSTILE = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>"


def make_trials(n):
    row = {"state": "COMPLETE", "lr": 1e-3, "wd": 1e-4, "dr": 0.1, "hidden": 6, "best_epoch": 3}
    return [row | {"number": i, "value": -float(i), "seconds": 61.0} for i in range(n)]


@pytest.fixture(scope="module")
def manifest():
    record = FileRecord(
        name="Maps.npy", size=1234, modified=0, sha256="ab" * 32, shape=(15, 2, 2), minimum=0.0,
        maximum=1.0, zeros=0,
    )  # fmt: skip
    return Manifest(suite="SIMBA", sim_set="LH", files={"T": record}, theta_sha256="cd")


@pytest.fixture
def make_report(make_results, manifest):
    def make(suite="MockTNG", n_simulations=4, n_trials=2, inferred=camels.COSMOLOGY, **changes):
        results = make_results(15 * n_simulations, inferred, n_simulations=n_simulations)
        simulation = simulation_of_rows(results, 1)
        after = recalibrate(results, fit_sigma_factors(results, simulation))
        selection = Selection(suite=suite, sim_set="LH", field="T")
        calibration = CalibrationConfig(n_draws=20, seed=1)
        contents = {
            "trained_on": selection,
            "tested_on": selection,
            "parameters": {
                "evaluation": {"bootstrap": BOOTSTRAP},
                "source": {"folder": "data", "url": "https://name:secret@example.org/maps"},
            },
            "metrics": score_results(results),
            "recalibrated": score_recalibrated(results, fit_sigma_factors(results, simulation)),
            "intervals": estimate_intervals(results, simulation, BOOTSTRAP),
            "recalibrated_intervals": estimate_recalibrated_intervals(
                results, simulation, results, simulation, BOOTSTRAP
            ),
            "calibration_tests": (
                compare_calibration(results, after, simulation, BOOTSTRAP, calibration)
            ),
            "levels": (compare_levels({"best": Predictions(results, results, 1)}, BOOTSTRAP)),
            "trials": make_trials(n_trials),
            "study_name": "wd_dr_hidden_lr_o3",
            "manifests": {"trained and tested on": manifest},
            "figures": dict.fromkeys(page.FIGURES, PNG),
            "software": {"python": "3.11", "multifield": "0.1.0", "commit": "f" * 40 + "-dirty"},
            "device": "CPU",
            "seconds": 75.0,
            "date": "2026-11-24 15:00 UTC",
        }
        return RunReport(**(contents | changes))

    return make


class Tags(HTMLParser):
    """Every tag of a page with its attributes. Opening and closing tags must match."""

    VOID = frozenset({"meta", "img", "link", "br"})

    def __init__(self, html):
        super().__init__()
        self.tags, self.open = [], []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def text_of(html):
    return " ".join(re.sub(r"<style>.*?</style>|<[^>]+>", " ", html, flags=re.S).split())


def test_it_loads_nothing_and_runs_nothing(make_report):
    tags = Tags(render_report(make_report())).tags
    assert not {tag for tag, _ in tags} & {"script", "link", "iframe", "object"}
    sources = [attributes["src"] for tag, attributes in tags if "src" in attributes]
    assert len(sources) == len(page.FIGURES) - 1  # too few trials for the importance
    for source in sources:
        assert base64.b64decode(source.removeprefix("data:image/png;base64,")) == PNG
    assert not [a for _, attributes in tags for a in attributes if a.startswith("on")]


@pytest.mark.parametrize(
    "changes",
    [
        {"study_name": HOSTILE},
        {"device": HOSTILE},
        {"parameters": {HOSTILE: HOSTILE, "evaluation": {"bootstrap": BOOTSTRAP}}},
        {"software": {"python": HOSTILE, "multifield": HOSTILE, "commit": HOSTILE}},
    ],
)
def test_hostile_names_are_text(make_report, changes):
    safe, hostile = (Tags(render_report(make_report(**each))).tags for each in ({}, changes))
    assert {tag for tag, _ in hostile} == {tag for tag, _ in safe}
    assert "alert" not in {key for _, attributes in hostile for key in attributes}


def test_a_hostile_file_name_is_text(make_report, manifest):
    record = next(iter(manifest.files.values()))
    fields = {key: getattr(record, key) for key in record.__dataclass_fields__}
    hostile = FileRecord(**(fields | {"name": HOSTILE}))
    other = Manifest(suite="SIMBA", sim_set="LH", files={"T": hostile}, theta_sha256="cd")
    html = render_report(make_report(manifests={HOSTILE: other}))
    assert "script" not in {tag for tag, _ in Tags(html).tags}
    assert "&lt;script&gt;" in html


@pytest.mark.parametrize(("suite", "mock"), [("MockTNG", True), ("SIMBA", False)])
def test_mock_data_is_marked_and_not_compared_with_published_numbers(make_report, suite, mock):
    text = text_of(render_report(make_report(suite)))
    assert (f"T of {suite} (mock)" in text) is mock
    assert ("this project's mock universes" in text) is mock
    assert ("arXiv:2109.10360" in text) is not mock


def test_a_transfer_to_a_mock_is_mock(make_report):
    tested = Selection(suite="MockTNG", sim_set="LH", field="T")
    text = text_of(render_report(make_report("SIMBA", tested_on=tested)))
    assert "T of SIMBA, tested on T of MockTNG (mock), LH" in text
    assert "this project's mock universes" in text


def test_metrics_have_their_intervals(make_report):
    report = make_report()
    text = text_of(render_report(report))
    interval = report.intervals["RMSE"]["sigma_8"]
    expected = f"{interval.value:.3g} {interval.low:.3g} to {interval.high:.3g}"
    assert expected in text
    assert f"scaled by {report.recalibrated['sigma_factor']['sigma_8']:.2f}" in text
    assert "90% intervals from a bootstrap over simulations" in text
    after = report.recalibrated_intervals["coverage_68"]["sigma_8"]
    assert f"{100 * after.value:.1f} {100 * after.low:.1f} to {100 * after.high:.1f}" in text


def test_one_simulation_has_no_intervals_and_no_tests(make_report):
    text = text_of(render_report(make_report(n_simulations=1)))
    assert "not testable with one simulation" in text
    assert "0 of 0 tests" in text


def test_the_best_ten_trials_are_listed(make_report):
    text = text_of(render_report(make_report(n_trials=12)))
    assert "11 -11.000 1.00e-03" in text
    assert "2 -2.000 1.00e-03" in text
    assert "1 -1.000 1.00e-03" not in text
    assert "The best 10 of 12 complete trials" in text


def test_the_verdict_comes_first_and_other_stages_are_left_out(make_report):
    html = render_report(make_report())
    text = text_of(html)
    assert text.index("Verdict") < text.index("Metrics of each parameter")
    assert "<details>" in html
    assert "evaluation:" in text
    assert "robustness:" not in text
    assert "recipes:" not in text


def test_the_verdict_names_tests_of_the_joint_posterior(make_report):
    tests = make_report().calibration_tests
    joint = next(test["parameter"] for test in tests if test["test"] == "HPD")
    for p_value, expected in ((0.5, []), (0.01, ["deviates (HPD)"])):
        changed = [
            record | {"p_value": p_value if record["test"] == "HPD" else 0.5} for record in tests
        ]
        rows = tables.verdict_rows(make_report(calibration_tests=changed))
        assert [row[-1] for row in rows if row[0] == "all together"] == expected
        assert len(rows) == len(joint.split("+")) + len(expected)


@pytest.mark.parametrize(
    ("value", "ends", "shown"),
    [
        (0.02512, (0.02236, 0.02799), ("0.0251", "0.0224 to 0.0280")),
        (0.9, (0.5, 1.3), ("0.90", "0.50 to 1.30")),
        (74.9123, (60.0, 80.0), ("75", "60 to 80")),
        (3.0, (3.0, 3.0), ("3.00", "3.00 to 3.00")),
    ],
)
def test_digits_follow_the_interval(value, ends, shown):
    assert tables._cell(value, ends, 1.0, ".2f") == shown


def test_the_importance_needs_enough_trials(make_report):
    assert 'id="importance"' not in render_report(make_report(n_trials=2))
    assert 'id="importance"' in render_report(make_report(n_trials=12))


def test_provenance_is_complete(make_report):
    text = text_of(render_report(make_report()))
    for part in ("f" * 40, "with uncommitted changes", "ab" * 32, "python 3.11",
                 "evaluation.bootstrap.seed 3", "n_resamples: 100", "1 min 15 s", "2 min 2 s"):  # fmt: skip
        assert part in text


def test_zeros_that_got_a_floor_are_said(make_report):
    sentence = "Zero pixels under log10 got the smallest positive pixel of the training maps."
    assert sentence not in render_report(make_report())
    report = make_report()
    parameters = {**report.parameters, "preprocessing": {"zeros": "floor"}}
    assert sentence in render_report(make_report(parameters=parameters))


def test_credentials_in_an_address_are_left_out(make_report):
    html = render_report(make_report())
    assert "secret" not in html
    assert "https://example.org/maps" in html


def test_all_six_parameters_have_their_symbols(make_report):
    html = render_report(make_report(inferred=camels.PARAMETER_NAMES))
    assert "A<sub>AGN2</sub>" in html
    assert "&Omega;<sub>m</sub>, &sigma;<sub>8</sub>, A<sub>SN1</sub>" in html  # of TARP


def test_logarithms_are_named(make_report):
    """Results of MockTNG50 are the logarithms of two parameters; those of MockTNG are values."""
    inferred = ("sigma_8", "A_SN1")
    shown = page.render_report(make_report(inferred=inferred))
    assert "log<sub>10</sub>" not in shown
    shown = page.render_report(make_report(suite="MockTNG50", inferred=inferred))
    assert "log<sub>10</sub>&nbsp;A<sub>SN1</sub>" in shown
    assert "log<sub>10</sub>&nbsp;&sigma;" not in shown
    assert "are in dex" in shown


def test_a_figure_that_is_missing_is_named(make_report):
    with pytest.raises(ValueError, match=r"figures: Expected .*saliency.*, got losses"):
        render_report(make_report(figures={"losses": PNG}))


@pytest.mark.parametrize(
    ("test", "statistic", "p_value", "words"),
    [
        ("bias", -0.3, 0.01, "means too low by 0.30 std (significant)"),
        ("spread", 1.3, 1e-4, "std too small by a factor of 1.30 (highly significant)"),
        ("spread", 0.5, 0.02, "std too large by a factor of 2.00 (significant)"),
        ("TARP", 0.12, 0.04, "up to 0.12 from the diagonal (significant)"),
        (
            "correlation",
            -0.4,
            1e-5,
            "pulls of two parameters correlate by -0.40 more than stated (highly significant)",
        ),
        ("PIT", 0.03, 0.4, "no significant deviation"),
        ("SBC", 0.03, None, "not testable with one simulation"),
    ],
)
def test_verdicts(test, statistic, p_value, words):
    assert tables.verdict(test, statistic, p_value) == words
