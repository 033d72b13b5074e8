import subprocess
import sys

import pytest

from multifield.training.causes import fingerprint, list_differences
from tests.unit.training.examples import config, make_data


@pytest.mark.parametrize("change", [{"resident": "always"}, {"flips": False}, {"epochs": 9}])
def test_what_changes_results_is_a_cause(change):
    data = make_data()
    assert fingerprint(data, config(**change)) != fingerprint(data, config())


@pytest.mark.parametrize(
    "change",
    [
        {"loader_threads": 7},
        {"prefetch": 7},
        {"n_threads": 7},
        {"seed": 7},
        {"checkpoint_every": 7},
    ],
)
def test_what_does_not_is_none(change):
    data = make_data()
    assert fingerprint(data, config(**change)) == fingerprint(data, config())


def test_pipelines_do_not_import_torch():
    """`kedro registry list` is a second faster without it."""
    code = "import sys; import multifield.pipelines.tune.nodes; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_differences_are_short_lines_with_the_readable_values_first():
    train = tuple(range(1000))
    saved = {"split.train": str(train), "log_maps.Mtot.raw_sha256": "a" * 64, "suite": "MockTNG"}
    now = {
        "split.train": str(train[1:]),
        "log_maps.Mtot.raw_sha256": "b" * 64,
        "tuning.search_space": {"dr": {"low": 0.0, "high": 0.5}},
    }
    lines = list_differences("checkpoint", saved, now)
    assert [line.split(":")[0] for line in lines] == [
        *("suite", "tuning.search_space.dr.high", "tuning.search_space.dr.low"),
        *("log_maps.Mtot.raw_sha256", "split.train"),
    ]
    assert lines[1] == "tuning.search_space.dr.high: checkpoint nothing, this run 0.5"
    assert "1000 values (" in lines[-1]
    assert "999 values (" in lines[-1]
    assert "aaaaaaaaaaaa... (" in lines[-2]
    assert all(len(line) <= 100 for line in lines)
    same_length = (1, *train[1:])
    (line,) = list_differences("study", {"split.train": train}, {"split.train": same_length})
    before, after = line.split("this run")
    assert before.split("(")[1][:6] != after.split("(")[1][:6]  # checksums tell them apart
