import platform

import pytest
import torch
from click.testing import CliRunner

from multifield import cli
from multifield.training.allocator import keep_freed_memory
from tests.helpers.projects import ROOT

resource = pytest.importorskip("resource", reason="counts page faults, on Unix alone")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_freed_memory_is_used_again_without_page_faults() -> None:
    assert keep_freed_memory()

    def count_faults() -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        torch.ones(2**24)  # 64 MiB
        return int(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)

    # the heap may grow a few times before a hole is large enough
    assert min(count_faults() for _ in range(10)) < 1000  # of 16,384 pages


def test_other_c_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert not keep_freed_memory()


def test_a_run_keeps_freed_memory_and_a_library_call_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    called = []
    monkeypatch.setattr(cli, "keep_freed_memory", lambda: called.append("run"))
    monkeypatch.setattr(cli.project.run, "callback", lambda **options: called.append("Kedro"))
    assert CliRunner().invoke(cli.cli, ["run"]).exit_code == 0
    assert called == ["run", "Kedro"]
    allowed = {"allocator.py", "cli.py", "cluster.py"}
    users = {p.name for p in (ROOT / "src").rglob("*.py") if "keep_freed_memory" in p.read_text()}
    assert users == allowed
