"""`kedro run --pipelines explain`, on one field and on two, and where it cannot run."""

import json

import pytest

from tests.helpers.projects import make_project, run_kedro

ONE = ("--env", "test", "--params", "suite=MockNbody")
TWO = ("--env", "test", "--params", "suite=MockTwoFields,field=Mgas_T,recipe=statistics")
pytestmark = pytest.mark.slow

FIGURES = ("scales", "environments", "statistics", "fields")
LABELS = {
    "MockNbody_Mtot": "all_steps_4_4_o3",
    "MockTwoFields_Mgas_T": "all_one_cycle_summary_statistics_autoregressive",
}


def explain(project, name, *arguments):
    done = run_kedro(project, "run", "--pipelines", "explain", *arguments)
    folder = project / f"data/08_reporting/{name}_{LABELS[name]}/explain"
    return done, folder


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    project = make_project(tmp_path_factory.mktemp("explain") / "project")
    for arguments in (ONE, TWO):
        done = run_kedro(project, "run", "--pipelines", "ingest,preprocess,tune", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
    return project


def find(folder, topic):
    rows = json.loads((folder / "explanation.json").read_text())["rows"]
    return [row for row in rows if row["topic"] == topic]


@pytest.mark.parametrize(
    ("name", "arguments"), [(name, each) for name, each in zip(LABELS, (ONE, TWO), strict=True)]
)
def test_networks_are_explained(tuned, name, arguments):
    done, folder = explain(tuned, name, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {row["read_by"] for row in find(folder, "scales")} == {"network", "statistics"}
    assert find(folder, "outputs")
    for figure in FIGURES:
        assert (folder / f"{figure}.png").is_file()
        assert (folder / f"{figure}.pdf").is_file()
    page = (folder / "explanation.html").read_text()
    several = "_T" in name
    assert page.count("data:image/png;base64,") == 4 - (not several)
    assert bool(find(folder, "fields")) == several
    assert ("There is only one field" in page) != several


def test_a_wave_number_beyond_nyquist_ends_the_run(tuned, tmp_path):
    folder = tuned / "conf/beyond"
    (folder / "explain").mkdir(parents=True)
    (folder / "explain/parameters.yml").write_text("explain: { k_cuts: [1.0, 9.0] }\n")
    for source in (
        "parameters.yml",
        *(f"{name}/parameters.yml" for name in ("ingest", "preprocess", "train")),
    ):
        target = folder / source
        target.parent.mkdir(exist_ok=True)
        target.write_bytes((tuned / "conf/test" / source).read_bytes())
    done = run_kedro(tuned, "run", "--pipelines", "explain", "--env", "beyond")
    assert done.returncode != 0
    assert "explain.k_cuts: Expected at most 2.01 h/Mpc" in done.stdout + done.stderr


def test_without_trained_networks_it_says_what_to_run(tuned):
    done = run_kedro(
        tuned,
        "run",
        "--pipelines",
        "explain",
        "--env",
        "test",
        "--params",
        "suite=MockNbody,training.schedule=one_cycle",
    )
    assert done.returncode != 0
    assert "multifield run --pipelines tune" in done.stdout + done.stderr
