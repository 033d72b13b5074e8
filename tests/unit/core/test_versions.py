"""Versions of the packages, and the commit of the source."""

import subprocess
import time

import pytest

from multifield.core.versions import describe_software, find_commit, process_seconds
from tests.helpers.tolerances import TIME_LIMIT


def git(folder, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    command = ["git", *identity, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repository(tmp_path):
    (tmp_path / "code.py").write_text("1")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "code.py")
    git(tmp_path, "commit", "-qm", "one")
    return tmp_path


def test_a_tracked_file_has_the_commit_of_its_repository(repository):
    assert find_commit(repository / "code.py") == git(repository, "rev-parse", "HEAD").strip()


def test_a_file_installed_inside_another_repository_has_no_commit(repository):
    (repository / "installed.py").write_text("2")
    assert find_commit(repository / "installed.py") is None


def test_a_file_outside_any_repository_has_no_commit(tmp_path):
    (tmp_path / "code.py").write_text("1")
    assert find_commit(tmp_path / "code.py") is None


def test_without_git_there_is_no_commit(repository, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert find_commit(repository / "code.py") is None


def test_versions_are_those_of_the_installed_packages():
    import numpy as np

    assert describe_software()["numpy"] == np.__version__


def test_process_seconds_increase():
    first, deadline = process_seconds(), time.monotonic() + TIME_LIMIT
    while process_seconds() == first:  # a clock may be coarse
        assert time.monotonic() < deadline
    assert 0 < first < process_seconds()


def test_the_commit_of_changed_source_is_dirty(repository, monkeypatch):
    monkeypatch.setattr("multifield.__file__", str(repository / "code.py"))
    commit = git(repository, "rev-parse", "HEAD").strip()
    assert describe_software()["commit"] == commit
    (repository / "code.py").write_text("2")
    assert describe_software()["commit"] == f"{commit}-dirty"


def test_without_a_commit_there_are_only_versions(tmp_path, monkeypatch):
    monkeypatch.setattr("multifield.__file__", str(tmp_path / "code.py"))
    assert "commit" not in describe_software()
