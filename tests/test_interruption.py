"""`kedro run` that is stopped and started again."""

import signal
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from kedro.framework.session import KedroSession

from multifield.cli import cli
from tests.helpers.projects import make_project, run_kedro, run_python

NAME = "MockNbody_Mtot_single_all_steps_4_4_o3"
TRAINED = (f"weights/weights_{NAME}.pt", f"losses/losses_{NAME}.txt")


# kedro, with a signal in the midst of one step of training; from outside it would come too early or too late
INTERRUPTED = """
import signal, sys
from multifield.training import loop
from kedro.framework.cli.cli import main

original, (signum, times, at) = loop.train_step, map(int, sys.argv[1:4])

def train_step(*arguments, step, **options):
    if step == at:
        for _ in range(times):
            signal.raise_signal(signum)
    return original(*arguments, step=step, **options)

loop.train_step = train_step
sys.argv[1:4] = []
main()
"""


def run_interrupted(
    project: Path, *arguments: str, signum: int, times: int = 1, step: int = 12
) -> subprocess.CompletedProcess[str]:
    """Run kedro and send a signal during a step, one of the last of 16 or 17 in an epoch."""
    signalled = (INTERRUPTED, str(signum), str(times), str(step))
    return run_python(project, "-c", *signalled, *arguments, COLUMNS="300")


def test_ctrl_c_ends_a_run_with_its_exit_code_wherever_it_comes(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def interrupt(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(KedroSession, "create", interrupt)
    assert CliRunner().invoke(cli, ["run"]).exit_code == 128 + signal.SIGINT
    assert "Stopped at once" in caplog.messages[-1]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a trained network."""
    project = make_project(tmp_path_factory.mktemp("interrupted") / "project")
    done = run_kedro(project, "run", "--env", "test", "--pipelines", "ingest,preprocess,train")
    assert done.returncode == 0, done.stdout + done.stderr
    return project


def test_train_goes_on_after_sigterm(project: Path) -> None:
    models = project / "data/06_models"
    undisturbed = [(models / name).read_bytes() for name in TRAINED]
    for name in TRAINED:
        (models / name).unlink()
    train = ("run", "--env", "test", "--pipelines", "train")
    stopped = run_interrupted(project, *train, signum=signal.SIGTERM)
    lines = (stopped.stdout + stopped.stderr).strip().splitlines()
    assert stopped.returncode == 128 + signal.SIGTERM
    assert "Stopped by SIGTERM in epoch" in lines[-1]
    assert f"checkpoint_{NAME}.pt" in lines[-1]
    assert "Traceback" not in stopped.stdout + stopped.stderr
    again = run_kedro(project, *train)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "Resuming in epoch" in " ".join((again.stdout + again.stderr).split())
    assert [(models / name).read_bytes() for name in TRAINED] == undisturbed
    assert not list((models / "checkpoints").iterdir())


@pytest.mark.parametrize(
    ("times", "message"), [(1, "Stopped by SIGINT in epoch"), (2, "Stopped at once")]
)
def test_ctrl_c_ends_tune_with_its_exit_code(project: Path, times: int, message: str) -> None:
    stopped = run_interrupted(
        project, "run", "--env", "test", "--pipelines", "tune", signum=signal.SIGINT, times=times
    )
    assert stopped.returncode == 128 + signal.SIGINT
    assert message in (stopped.stdout + stopped.stderr).strip().splitlines()[-1]
    assert "Traceback" not in stopped.stdout + stopped.stderr
