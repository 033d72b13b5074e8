import sys
from pathlib import Path

import pytest

from multifield.launch import run_workers, visible_gpus, worker_environments

ROOT = Path(__file__).parents[2]


def test_each_worker_has_one_gpu_and_its_share_of_the_threads() -> None:
    first, second, third = worker_environments(3, ["2", "5"], n_threads=8)
    assert [w["CUDA_VISIBLE_DEVICES"] for w in (first, second, third)] == ["2", "5", "2"]
    assert first["OMP_NUM_THREADS"] == "2"


def test_without_gpus_threads_alone_are_shared() -> None:
    (only,) = worker_environments(1, [], n_threads=3)
    assert only == {"OMP_NUM_THREADS": "3", "MKL_NUM_THREADS": "3"}


def test_several_workers_write_lines_to_the_terminal_that_they_share() -> None:
    assert [w["TTY_COMPATIBLE"] for w in worker_environments(2, [], n_threads=2)] == ["0", "0"]


def test_no_worker_is_left_without_a_thread() -> None:
    assert worker_environments(5, [], n_threads=2)[4]["OMP_NUM_THREADS"] == "1"


def test_gpus_that_a_scheduler_hid_stay_hidden() -> None:
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": "GPU-3a,GPU-7f"}) == ["GPU-3a", "GPU-7f"]
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": ""}) == []


@pytest.mark.parametrize(
    ("code", "expected"), [("pass", 0), ("exit(3)", 3), ("import os; os.kill(os.getpid(), 9)", 137)]
)
def test_the_worst_worker_is_the_exit_code(code: str, expected: int) -> None:
    script = f"import os\nif os.environ['WORKER'] == '1': {code}"
    environments = [{"WORKER": "0"}, {"WORKER": "1"}]
    assert run_workers([sys.executable, "-c", script], environments) == expected
