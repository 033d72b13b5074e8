"""Progress of trainings on a terminal and in a log."""

import io

import pytest
from rich.console import Console

from multifield.training import EpochLosses, TrainingProgress

LR = "lr 1.0e-03, wd 2.0e-04, dr 0.25, hidden 12"


class Clock:
    """Clock that changes only when it is set."""

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
    return TrainingProgress("trials", n_total, 10, console, clock)


def shown(progress: TrainingProgress) -> list[str]:
    """Render the bars for a terminal of 80 columns."""
    console = Console(file=io.StringIO(), width=80, color_system=None)
    console.print(progress._bars.get_renderable())
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined, no-any-return]


def losses(valid: float) -> EpochLosses:
    return EpochLosses(valid + 0.1, valid, valid + 0.2)


def test_a_terminal_shows_a_bar_per_training_and_the_best() -> None:
    progress = make(terminal=True, clock=Clock())
    for name in ("0", "1"):
        progress.begin(name, LR)
    progress.on_epoch("1", 6, losses(-1.5))
    progress.end("0", "valid loss -1.0000", "trial 3, valid loss -2.0000")
    all_epochs, running = shown(progress)
    assert all_epochs.startswith("1 of 4")
    assert "best: trial 3, valid loss -2.0000" in all_epochs
    assert running.startswith("trial 1")
    assert "7/10" in running
    assert f"-1.500, {LR}" in running


def test_a_log_has_a_line_per_training_and_one_per_minute_of_epochs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    clock = Clock()
    progress = make(terminal=False, clock=clock)
    progress.begin("0")
    for epoch in range(10):
        clock.now += 25.0
        progress.on_epoch("0", epoch, losses(-epoch))
    progress.end("0", "valid loss -9.0000")
    assert [message.partition(";")[0] for message in caplog.messages] == [
        "Trial 0: epoch 3 of 10, valid loss -2.0000",
        "Trial 0: epoch 6 of 10, valid loss -5.0000",
        "Trial 0: epoch 9 of 10, valid loss -8.0000",
        "Trial 0: valid loss -9.0000",
    ]
    assert caplog.messages[-1].endswith("1 of 4 trials finished, 0 running, about 0:12:30 left")


def test_a_log_has_a_line_per_minute_of_a_long_epoch(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    clock = Clock()
    progress = make(terminal=False, clock=clock)
    progress.begin("0")
    for done in (2.25, 2.5, 2.75, 3.0):  # resumed in its third epoch
        clock.now += 40.0
        progress.on_step("0", done)
    assert [message.partition(";")[0] for message in caplog.messages] == [
        "Trial 0: epoch 3 of 10, 50% of its steps",
        "Trial 0: epoch 3 of 10, 100% of its steps",
    ]
    assert caplog.messages[-1].endswith("1 running, about 1:38:40 left")  # 37 epochs of 160 s


def test_a_terminal_moves_within_an_epoch() -> None:
    progress = make(terminal=True, clock=Clock(), n_total=1)
    progress.begin("0")
    for step in range(1, 11):
        progress.on_step("0", 2 + step / 10)
        running = progress._bars.tasks[1]
        assert running.completed == 2 + step / 10
    progress.on_epoch("0", 2, losses(0.0))
    assert "1/8" in shown(progress)[0]  # two epochs of an earlier run


def test_the_best_is_named(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    progress = make(terminal=False, clock=Clock())
    progress.begin("1")
    progress.end("1", "pruned", "trial 0, valid loss -9.0000")
    assert "Trial 1: pruned; best: trial 0, valid loss -9.0000; 1 of 4" in caplog.messages[0]


def test_time_left_counts_the_epochs_of_this_run_alone() -> None:
    clock = Clock()
    progress = make(terminal=True, clock=clock)
    progress.skip(2)
    progress.begin("2")
    for epoch in (6, 7, 8):  # resumed in its seventh epoch; 10 s each
        clock.now += 10.0
        progress.on_epoch("2", epoch, losses(0.0))
    # an epoch is left of this trial, ten of the next
    assert "about 0:01:50 left" in progress.summary()


def test_a_trial_that_ends_early_leaves_out_its_epochs() -> None:
    progress = make(terminal=True, clock=Clock(), n_total=2)
    progress.begin("0")
    progress.on_epoch("0", 0, losses(0.0))
    progress.end("0", "pruned")
    assert "1/11" in shown(progress)[0]


def test_epochs_that_are_trained_again_count_once() -> None:
    progress = make(terminal=True, clock=Clock(), n_total=1)
    progress.begin("0")
    for epoch in (0, 1, 2, 1, 2, 3):  # another worker resumes from its checkpoint
        progress.on_epoch("0", epoch, losses(0.0))
    assert "4/10" in shown(progress)[0]


def test_reports_that_come_late_are_ignored() -> None:
    progress = make(terminal=True, clock=Clock())
    progress.on_epoch("5", 1, losses(0.0))
    assert "0 running" in progress.summary()
