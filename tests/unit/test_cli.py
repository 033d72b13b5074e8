"""Messages and exit codes of failed runs."""

import pytest
from click.testing import CliRunner, Result
from kedro.config import OmegaConfigLoader
from kedro.framework.session import KedroSession
from kedro.io import DatasetError

from multifield.cli import ERROR_CODE, TRACEBACK, cli, explain
from multifield.models import load_weights


def run_into(monkeypatch: pytest.MonkeyPatch, error: Exception | None = None) -> Result:
    """Start a run that fails with an error, by default of a missing file."""

    def create(**_: object) -> None:
        if error is None:
            load_weights("no_such.pt")
        else:
            raise error

    monkeypatch.setattr(KedroSession, "create", create)
    return CliRunner().invoke(cli, ["run"])


def test_an_error_for_the_user_is_a_message_and_code_2(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = run_into(monkeypatch)
    assert ended.exit_code == ERROR_CODE == 2
    assert ended.stderr.splitlines() == [
        "Error: no_such.pt: The file does not exist.",
        f"({TRACEBACK}=1 shows the traceback.)",
    ]


def test_a_system_error_names_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = run_into(monkeypatch, OSError(28, "No space left on device", "data/maps.npy"))
    assert ended.exit_code == ERROR_CODE
    assert ended.stderr.startswith("Error: data/maps.npy: No space left on device\n")


def test_an_error_of_a_dataset_shows_its_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    error = DatasetError("Failed while saving data to dataset ...")
    error.__cause__ = OSError(28, "No space left on device", "metrics.json")
    ended = run_into(monkeypatch, error)
    assert ended.stderr.startswith("Error: metrics.json: No space left on device\n")


def test_a_missing_environment_is_named() -> None:
    loader = OmegaConfigLoader("conf", base_env="base", env="no_such")
    with pytest.raises(Exception, match="no_such") as caught:
        loader["parameters"]
    assert explain(caught.value) == str(caught.value)


@pytest.mark.parametrize("error", [KeyError("x"), AssertionError("x"), ValueError("of a test")])
def test_a_program_error_keeps_its_traceback(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    ended = run_into(monkeypatch, error)  # raised here, not in the package
    assert ended.exception is error


def test_an_environment_variable_shows_all_tracebacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TRACEBACK, "1")
    assert isinstance(run_into(monkeypatch).exception, FileNotFoundError)


def test_the_help_names_the_default_environment() -> None:
    told = " ".join(CliRunner().invoke(cli, ["run", "--help"]).output.split())
    assert "If not given, mock:" in told
    assert "local" not in told


def test_help_lists_run_once() -> None:
    from kedro.framework.cli import project

    assert project.run.hidden
    assert not cli.commands["run"].hidden
