"""What is shown of trainings, on a terminal and in a log."""

import io

import pytest
from rich.console import Console

from multifield.training import EpochLosses, Row, TrainingProgress

COLUMNS = ("lr", "hidden")


class Clock:
    """A time that stands still until it is changed."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def make(*, terminal: bool, clock: Clock, n_total: int = 4) -> TrainingProgress:
    console = Console(
        file=io.StringIO(),
        force_terminal=terminal,
        width=80,
        legacy_windows=False,
        color_system=None,
    )
    return TrainingProgress("trials", n_total, 10, COLUMNS, console, clock)


def shown(progress: TrainingProgress) -> str:
    console = Console(file=io.StringIO(), width=80, color_system=None)
    console.print(progress._render())
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def losses(valid: float) -> EpochLosses:
    return EpochLosses(valid + 0.1, valid, valid + 0.2)


def test_a_terminal_shows_what_runs_and_the_best() -> None:
    progress = make(terminal=True, clock=Clock())
    progress.start(1, Row("0", ("1e-03", "2"), 4, losses(-2.0)))
    progress.begin("1", ("2e-03", "3"))
    progress.begin("2", ("3e-03", "4"))
    progress.on_epoch("2", 6, losses(-1.5))
    lines = [line.split() for line in shown(progress).splitlines()]
    assert ["best", "0", "5/10", "-1.900", "-2.000", "-1.800", "1e-03", "2"] in lines
    assert ["1", "0/10", "2e-03", "3"] in lines
    assert ["2", "7/10", "-1.400", "-1.500", "-1.300", "3e-03", "4"] in lines
    assert "1 of 4 trials finished, 2 running" in shown(progress)


def test_more_trainings_than_rows_are_counted() -> None:
    progress = make(terminal=True, clock=Clock(), n_total=40)
    for number in range(20):
        progress.begin(str(number), ("", ""))
    assert "+ 8" in shown(progress)


def test_a_log_has_a_line_per_training_and_one_per_minute_of_epochs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    clock = Clock()
    progress = make(terminal=False, clock=clock)
    progress.start(0)
    progress.begin("0")
    for epoch in range(10):
        clock.now += 25.0
        progress.on_epoch("0", epoch, losses(-epoch))
    progress.end("0", "valid loss -9.0000", Row("0", (), 9, losses(-9.0)))
    assert [message.partition(";")[0] for message in caplog.messages] == [
        "Trial 0: epoch 3 of 10, valid loss -2.0000",
        "Trial 0: epoch 6 of 10, valid loss -5.0000",
        "Trial 0: epoch 9 of 10, valid loss -8.0000",
        "Trial 0: valid loss -9.0000",
    ]
    assert caplog.messages[-1].endswith("1 of 4 trials finished, 0 running, about 0:12:30 left")


def test_the_best_is_named_where_it_is_another(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    progress = make(terminal=False, clock=Clock())
    progress.begin("1")
    progress.end("1", "pruned", Row("0", (), 9, losses(-9.0)))
    assert "Trial 1: pruned; best: trial 0, valid loss -9.0000; 1 of 4" in caplog.messages[0]


def test_time_left_counts_the_epochs_of_this_run_alone() -> None:
    clock = Clock()
    progress = make(terminal=True, clock=clock)
    progress.start(2)
    progress.begin("2")
    clock.now = 10.0
    progress.on_epoch("2", 7, losses(0.0))  # resumed in epoch 7: one of ten epochs in 10 s
    # two epochs are left of this trial, ten of the next
    assert "about 0:02:00 left" in progress.summary()


def test_reports_that_come_late_are_ignored() -> None:
    progress = make(terminal=True, clock=Clock())
    progress.on_epoch("5", 1, losses(0.0))
    assert "0 running" in progress.summary()
