import math
from subprocess import TimeoutExpired

import pytest

from benchmarks import training
from benchmarks.training import ALL, FAILED, Side, Sizes, run_all

SIZES = Sizes(batch=4, hidden=1, steps=2, device="cpu", traced=1)


def test_sides_are_named_by_words():
    assert Side.named("plain") == Side("plain", "float32", padded=False, compiled=False)
    assert Side.named("bfloat16-padded-compiled") == Side("ours", "bfloat16", True, True)
    sides = [Side.named(name) for name in ALL.split(",")]
    assert len(set(sides)) == len(sides)


@pytest.mark.parametrize("name", ["float16", "plain-padded", "bfloat16-fused", ""])
def test_unknown_sides_are_refused(name):
    with pytest.raises(ValueError, match="--sides: Expected"):
        Side.named(name)


def test_a_side_without_result_does_not_end_the_run(monkeypatch):
    def run_side(name, sizes, seconds):
        if name == "float32":
            raise RuntimeError("exit status 1\nOutOfMemoryError: no memory")
        if name == "bfloat16":
            raise TimeoutExpired("python", seconds)
        return {"side": name}

    monkeypatch.setattr(training, "run_side", run_side)
    monkeypatch.setattr(training, "find_spec", lambda _: None)
    names = ["plain", "float32", "bfloat16", "lightning-float32"]
    runs, missing = run_all(names, SIZES, n_processes=2, seconds=math.inf)
    assert runs == {"plain": [{"side": "plain"}] * 2}
    assert missing == {
        "float32": FAILED + "OutOfMemoryError: no memory",
        "bfloat16": "no result within inf s",
        "lightning-float32": "Lightning is absent",
    }


def test_no_side_starts_after_the_time_is_over():
    runs, missing = run_all(["plain"], SIZES, n_processes=1, seconds=0.0)
    assert runs == {}
    assert missing == {"plain": "no time was left"}
