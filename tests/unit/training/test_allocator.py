import platform

import pytest
import torch

from multifield.training.allocator import keep_freed_memory

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
