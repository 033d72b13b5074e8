"""The package as people install it: built, checked, and run in folders that are no project."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from multifield.config.folder import copy_configuration, find_project
from tests.helpers.projects import ROOT
from tests.helpers.tolerances import TIME_LIMIT
from tests.test_interruption import INTERRUPTED

BUILD_FOLDER = ROOT / ".skbuild" / "test_packaging"  # kept: compiling takes a minute
IN_NODE = re.compile(r"\[\d+/\d+\] \w+\.\w+")


def call(
    *command: str | Path, folder: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command outside of the clone, on a narrow terminal; what it said, and how it ended."""
    inherited = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    own = {"DO_NOT_TRACK": "1", "COLUMNS": "80", "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=inherited | own | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=TIME_LIMIT,
    )


def succeed(*command: str | Path, folder: Path) -> str:
    """Run a command that must end well; what it said."""
    done = call(*command, folder=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def install(wheel: Path, folder: Path) -> Path:
    """Install a wheel into a new environment that borrows the packages of this one; its programs."""
    venv.create(folder, with_pip=False)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    python = programs / "python"
    pip = (sys.executable, "-m", "pip", "--python", python)
    succeed(*pip, "install", "--quiet", "--no-index", "--no-deps", wheel, folder=folder)
    site = Path(succeed(python, "-c", SITE, folder=folder).strip())
    # afterwards, or pip would replace the package there; the path alone, so that its .pth files are not read
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib"))
    return programs


def add(requirement: str, programs: Path, folder: Path) -> None:
    """Install a package of the index into an environment, with versions that may differ here."""
    environment = {"PIP_CONSTRAINT": "", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    pip = (sys.executable, "-m", "pip", "--python", programs / "python")
    done = call(*pip, "install", "--quiet", requirement, folder=folder, **environment)
    assert done.returncode == 0, done.stdout + done.stderr


SITE = "import sysconfig; print(sysconfig.get_path('purelib'))"


@pytest.fixture(scope="module")
def distributions(tmp_path_factory):
    """A folder with the sdist and the wheel."""
    folder = tmp_path_factory.mktemp("dist")
    build = (sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT)
    succeed(*build, "--sdist", folder=folder)
    succeed(*build, "--wheel", "-C", f"build-dir={BUILD_FOLDER}", folder=folder)
    return folder


@pytest.fixture(scope="module")
def programs(distributions, tmp_path_factory):
    """The programs of an environment in which the wheel is installed."""
    (wheel,) = distributions.glob("*.whl")
    return install(wheel, tmp_path_factory.mktemp("environment"))


@pytest.fixture(scope="module")
def finished(programs, tmp_path_factory):
    """A folder that was empty before `multifield run`, and what that printed."""
    folder = tmp_path_factory.mktemp("empty")
    return folder, succeed(programs / "multifield", "run", "--env", "test", folder=folder)


def test_an_index_would_take_the_distributions(distributions):
    files = sorted(distributions.iterdir())
    assert [file.suffix for file in files] == [".whl", ".gz"]
    succeed(sys.executable, "-m", "twine", "check", "--strict", *files, folder=distributions)


def test_the_sdist_builds_without_git(distributions, tmp_path):
    (sdist,) = distributions.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    code = "import scikit_build_core.build as b; print(b.prepare_metadata_for_build_wheel('.'))"
    output = succeed(sys.executable, "-c", code, folder=source)
    assert f"{sdist.name.removesuffix('.tar.gz')}.dist-info" in output.split()


def test_the_wheel_has_the_configuration_and_nobody_s_own(distributions):
    (wheel,) = distributions.glob("*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if "/conf/" in name}
    assert "multifield/conf/base/parameters.yml" in names
    assert not [name for name in names if "local" in name or "credentials" in name]


def test_it_runs_in_an_empty_folder(finished):
    folder, output = finished
    assert len(list((folder / "data/08_reporting").glob("*/metrics.json"))) == 1
    assert [path.name for path in folder.iterdir()] == ["data"]
    assert "No Kedro project" not in output


def test_a_run_prints_a_line_for_each_node(finished):
    _, output = finished
    lines = [line for line in output.splitlines() if IN_NODE.search(line)]
    assert f"[{len(lines)}/{len(lines)}]" in lines[-1]
    assert "Running node" not in output
    assert "Completed" not in output


def test_the_code_is_that_of_the_wheel(programs, tmp_path):
    where = "import mapkernels, multifield; print(mapkernels.__file__, multifield.__file__)"
    files = succeed(programs / "python", "-c", where, folder=tmp_path).split()
    assert all(Path(file).is_relative_to(programs.parent) for file in files)


def test_the_module_is_the_command(programs, finished):
    folder, _ = finished
    for command in ((programs / "multifield",), (programs / "python", "-m", "multifield")):
        assert "- select_fields" in succeed(*command, "registry", "list", folder=folder)
        output = succeed(*command, "--env", "test", "--pipelines", "preprocess", folder=folder)
        assert "preprocess.fit_normalization" in output


def test_mlflow_records_runs(distributions, tmp_path):
    """Parameters, metrics, figures and cards of a run are in a local MLflow."""
    (wheel,) = distributions.glob("*.whl")
    programs = install(wheel, tmp_path / "environment")
    (extra,) = (each for each in metadata.requires("multifield") or () if "kedro-mlflow" in each)
    add(extra.partition(";")[0], programs, tmp_path)
    project = tmp_path / "project"
    project.mkdir()
    succeed(programs / "multifield", "run", "--env", "test", folder=project)
    read = succeed(programs / "python", "-c", READ_MLFLOW, folder=project)
    status, parameters, metrics, files = json.loads(read.splitlines()[-1])
    assert status == "FINISHED"
    assert (parameters["training.epochs"], parameters["suite"]) == ("2", "MockNbody")
    (stored,) = project.glob("data/08_reporting/*/metrics.json")
    expected = json.loads(stored.read_text())
    assert metrics["RMSE.Omega_m"] == expected["RMSE"]["Omega_m"]
    assert "recalibrated.chi2.sigma_8" in metrics
    assert {"report.html", "calibration.png", "levels.csv", "metrics_intervals.json"} <= set(files)
    assert [name for name in files if name.startswith("card_MockNbody_Mtot_")]
    assert not (project / "mlruns").exists()


READ_MLFLOW = """
import json, mlflow
mlflow.set_tracking_uri("sqlite:///mlflow.db")
client = mlflow.MlflowClient()
(run,) = client.search_runs([client.get_experiment_by_name("multifield").experiment_id])
files = [entry.path for entry in client.list_artifacts(run.info.run_id)]
print(json.dumps([run.info.status, run.data.params, run.data.metrics, files]))
"""


def test_missing_inputs_name_the_command(programs, tmp_path):
    done = call(
        *(programs / "multifield", "run", "--env", "test", "--pipelines", "tune"), folder=tmp_path
    )
    assert done.returncode == 2
    assert "`multifield run --pipelines ingest,preprocess` first" in done.stdout + done.stderr


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "tar"])
def test_a_configuration_from_elsewhere(programs, tmp_path, packed):
    copy_configuration(tmp_path / "elsewhere")
    source = tmp_path / "elsewhere/conf"
    mine = source / "test/ingest/parameters.yml"
    mine.write_text(mine.read_text() + "  no_such_setting: 1\n")
    if packed:  # as `kedro package` does
        with tarfile.open(tmp_path / "conf-multifield.tar.gz", "w:gz") as archive:
            archive.add(source, "conf")
        source = tmp_path / "conf-multifield.tar.gz"
    arguments = ("run", "--env", "test", "--pipelines", "ingest", "--conf-source", source)
    done = call(programs / "multifield", *arguments, folder=tmp_path)
    assert done.returncode == 2
    assert "no_such_setting" in done.stderr
    assert len(done.stderr.splitlines()) <= 5


def test_init_copies_the_configuration_for_both_commands(programs, tmp_path):
    folder = tmp_path / "mine"
    message = succeed(programs / "multifield", "init", folder, folder=tmp_path)
    assert "conf/, pyproject.toml, .telemetry" in message
    table = folder / "conf/test/ingest/parameters.yml"
    table.write_text(table.read_text() + "  no_such_setting: 1\n")
    for program in ("multifield", "python"):
        command = (programs / program, *(("-m", "kedro") if program == "python" else ()))
        done = call(*command, "run", "--env", "test", "--pipelines", "ingest", folder=folder)
        assert done.returncode == 2
        assert "no_such_setting" in done.stdout + done.stderr
    again = call(programs / "multifield", "init", folder=folder)
    assert again.returncode == 1
    assert "exists and was kept" in again.stderr
    assert "no_such_setting" in table.read_text()


def test_a_stopped_run_has_the_exit_code_of_its_signal(programs, finished):
    folder, _ = finished
    script = INTERRUPTED.replace("kedro.framework.cli.cli", "multifield.__main__")
    train = ("run", "--env", "test", "--pipelines", "train")
    signalled = ("-c", script, str(int(signal.SIGTERM)), "1", "12")
    done = call(programs / "python", *signalled, *train, folder=folder)
    assert done.returncode == 128 + signal.SIGTERM
    assert "Stopped by SIGTERM" in done.stdout + done.stderr


def test_a_folder_of_another_project_is_refused(tmp_path):
    inner = tmp_path / "notes"
    inner.mkdir()
    assert find_project(inner) == inner
    (tmp_path / "pyproject.toml").write_text('[tool.kedro]\npackage_name = "spaceflights"\n')
    with pytest.raises(ValueError, match=r"Kedro project 'spaceflights'.*multifield init"):
        find_project(inner)
    copy_configuration(inner)
    assert find_project(inner) == inner


def test_private_files_are_not_copied(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "conf", tmp_path / "shipped")
    (tmp_path / "shipped/local/parameters.yml").write_text("suite: Mine\n")
    (tmp_path / "shipped/cmd/credentials.yml").write_text("key: secret\n")
    monkeypatch.setattr(
        "multifield.config.folder.shipped_configuration", lambda: tmp_path / "shipped"
    )
    copy_configuration(tmp_path / "mine")
    assert not list((tmp_path / "mine/conf/local").iterdir())
    assert not list((tmp_path / "mine").rglob("credentials*"))


@pytest.mark.slow
def test_kedro_package(tmp_path):
    """`kedro package` in a folder without git; it builds in isolation, with packages of an index."""
    listed = succeed("git", "ls-files", "-z", folder=ROOT).split("\0")[:-1]
    clone = tmp_path / "clone"
    for name in listed:
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, clone / name)
    succeed(sys.executable, "-m", "kedro", "package", folder=clone)
    (wheel,) = (clone / "dist").glob("*.whl")
    assert wheel.name.startswith("multifield-0.1.0.dev0-")
    programs = install(wheel, tmp_path / "environment")
    run = ("run", "--env", "test", "--pipelines", "ingest,preprocess")
    packed = clone / "dist/conf-multifield.tar.gz"
    (tmp_path / "empty").mkdir()
    succeed(programs / "multifield", *run, "--conf-source", packed, folder=tmp_path / "empty")
    assert (tmp_path / "empty/data/05_model_input").is_dir()
