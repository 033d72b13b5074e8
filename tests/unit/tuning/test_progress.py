import logging
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import optuna
import pytest
import rich
from optuna.trial import TrialState
from rich.console import Console

from multifield.training import EpochLosses
from multifield.tuning import TuningProgress, progress
from tests.unit.tuning.test_trials import make_folder, run

ERASE = "\x1b[2K"  # a line of the screen
LOSSES = EpochLosses(train=1.5, valid=-2.25, test=0.125)


class Terminal:
    """A console on a terminal of 80 columns, and what it last showed."""

    def __init__(self) -> None:
        self._file = StringIO()
        self.console = Console(file=self._file, force_terminal=True, width=80, color_system=None)

    @property
    def shown(self) -> str:
        return self._file.getvalue()

    @property
    def last(self) -> str:
        return self.shown.split(ERASE)[-1]


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.name == progress.__name__]


@pytest.fixture
def study() -> optuna.Study:
    """One complete, one pruned, one failed, two running and one waiting trial, in memory."""
    study = optuna.create_study()
    for _ in range(6):
        study.enqueue_trial({"lr": 1e-3, "wd": 2e-5, "dr": 0.25, "hidden": 2})
    for state in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL):
        value = -3.0 if state is TrialState.COMPLETE else None
        study.tell(begin(study), value, state=state)
    begin(study)
    begin(study)
    return study


def begin(study: optuna.Study) -> optuna.Trial:
    trial = study.ask()
    trial.suggest_float("lr", 1e-5, 1e-2)
    return trial


def test_a_terminal_shows_the_trials_of_all_workers(study: optuna.Study) -> None:
    terminal, trial = Terminal(), begin(study)
    with TuningProgress(6, 20, terminal.console) as shown:
        shown.on_look(study.get_trials())
        shown.on_begin(trial)
        shown.on_epoch(trial, 4, LOSSES)
    best, here, *others = [row.split() for row in terminal.last.splitlines() if "e-03" in row]
    assert best == ["0", "best", "-3.000", "1.0e-03"]
    assert here == ["5", "here", "5/20", "1.500", "-2.250", "0.125", "1.0e-03"]
    assert others == [["3", "other", "1.0e-03"], ["4", "other", "1.0e-03"]]
    assert "3 of 6 finished (1 pruned, 1 failed), 3 running (1 here), 0 waiting" in terminal.last


def test_trials_of_a_crowd_are_counted_not_listed(study: optuna.Study) -> None:
    for _ in range(20):
        begin(study)
    terminal = Terminal()
    with TuningProgress(26, 20, terminal.console) as shown:
        shown.on_look(study.get_trials())
    assert terminal.last.count("other") == progress.N_OTHERS + 1
    assert "+ 17 other" in " ".join(terminal.last.split())


def test_a_study_that_ran_here_is_shown_complete(tmp_path: Path) -> None:
    terminal = Terminal()
    with TuningProgress(2, 2, terminal.console) as shown:
        study = run(make_folder(tmp_path), n_trials=2, **shown.watchers)
    best = min(value for trial in study.trials if (value := trial.value) is not None)
    assert f"{best:.3f}" in terminal.last
    assert "2 of 2 finished, 0 running, 0 waiting" in terminal.last


def test_lines_of_the_log_pass_above_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(rich, "get_console", lambda: terminal.console)
    with TuningProgress(2, 2):
        terminal.console.print("a line")  # as Kedro's handler does
        assert terminal.shown.rindex("a line") < terminal.shown.rindex("0 of 2 finished")


@pytest.mark.parametrize("n_workers", [1, 4])
def test_workers_at_terminals_read_the_study_once_in_a_period_together(
    monkeypatch: pytest.MonkeyPatch, n_workers: int
) -> None:
    study = optuna.create_study()
    trials = [study.ask() for _ in range(n_workers)]
    now, readings = [0.0], [0]
    shows = [TuningProgress(n_workers, 1000, Terminal().console, lambda: now[0]) for _ in trials]
    for shown, trial in zip(shows, trials, strict=True):
        shown.on_look(study.get_trials())
        shown.on_begin(trial)
    read = optuna.Study.get_trials

    def counted(*arguments: Any, **options: Any) -> Any:
        readings[0] += 1
        return read(*arguments, **options)

    monkeypatch.setattr(optuna.Study, "get_trials", counted)
    for epoch in range(200):  # of half a second
        now[0] += 0.5
        for shown, trial in zip(shows, trials, strict=True):
            shown.on_epoch(trial, epoch, LOSSES)
    assert readings[0] == 100 / progress.LOOK_PERIOD


def test_off_a_terminal_a_trial_is_a_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "multifield")
    file = StringIO()
    with TuningProgress(2, 2, Console(file=file, force_terminal=False)) as shown:
        study = run(make_folder(tmp_path), n_trials=2, **shown.watchers)
    first, second = lines(caplog)
    best = min((t for t in study.trials), key=lambda t: t.value or 0.0)
    duration = study.trials[0].duration
    assert duration is not None
    seconds = timedelta(seconds=round(duration.total_seconds()))
    assert first.startswith(f"Trial 0: valid loss {study.trials[0].value:.4f}, {seconds}; ")
    assert f"1 of 2 finished, 0 running, 1 waiting, about {seconds} left" in first
    assert second.endswith(f"best: trial {best.number}, valid loss {best.value:.4f}")
    assert not file.getvalue()


def test_off_a_terminal_a_long_trial_has_a_line_now_and_then(
    study: optuna.Study, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "multifield")
    now = [0.0]
    console = Console(file=StringIO(), force_terminal=False)
    shown, trial = TuningProgress(6, 20, console, lambda: now[0]), begin(study)
    shown.on_begin(trial)
    for epoch in range(20):
        now[0] += progress.LOG_PERIOD / 10
        shown.on_epoch(trial, epoch, LOSSES)
    assert lines(caplog) == [
        f"Trial 5, epoch {epoch} of 20: valid loss -2.2500" for epoch in (10, 20)
    ]


def test_before_any_trial_has_ended_epochs_say_how_long_one_is() -> None:
    study, now, terminal = optuna.create_study(), [0.0], Terminal()
    trial = study.ask()
    with TuningProgress(1, 10, terminal.console, lambda: now[0]) as shown:
        shown.on_look(study.get_trials())
        shown.on_begin(trial)
        for epoch in (4, 5):  # it goes on from a checkpoint
            now[0] += 360.0
            shown.on_epoch(trial, epoch, LOSSES)
    assert "about 1:00:00 left" in terminal.last
