from datetime import datetime, timedelta

import pytest
from optuna.trial import FrozenTrial, TrialState

from multifield.tuning.overview import Overview

NOW = datetime(2026, 11, 24, 12)


def trial(number: int, state: TrialState, age: float = 0, seconds: float = 0) -> FrozenTrial:
    """A trial that began `age` before NOW and, if it has ended, took so many seconds."""
    start = NOW - timedelta(seconds=age)
    return FrozenTrial(
        number=number,
        state=state,
        value=float(number) if state is TrialState.COMPLETE else None,
        datetime_start=None if state is TrialState.WAITING else start,
        datetime_complete=start + timedelta(seconds=seconds) if state.is_finished() else None,
        params={},
        distributions={},
        user_attrs={},
        system_attrs={},
        intermediate_values={},
        trial_id=number,
    )


COMPLETE, RUNNING, WAITING = TrialState.COMPLETE, TrialState.RUNNING, TrialState.WAITING


def overview(*trials: tuple[TrialState, float, float], here: int | None = None) -> Overview:
    return Overview([trial(i, *each) for i, each in enumerate(trials)], here)


def test_one_worker_has_its_trial_and_all_that_wait_before_it() -> None:
    study = overview((COMPLETE, 500, 100), (COMPLETE, 400, 300), (RUNNING, 50, 0), (WAITING, 0, 0))
    assert study.time_left(NOW) == pytest.approx((200 - 50) + 200)


def test_workers_share_what_waits() -> None:
    study = overview((COMPLETE, 500, 100), *[(RUNNING, 20, 0)] * 4, *[(WAITING, 0, 0)] * 8)
    assert study.time_left(NOW) == pytest.approx(80 + 2 * 100)


def test_the_last_trial_takes_its_time_however_many_workers_there_are() -> None:
    study = overview((COMPLETE, 500, 100), (RUNNING, 10, 0), (RUNNING, 99, 0), (RUNNING, 99, 0))
    assert study.time_left(NOW) == pytest.approx(90)


def test_a_trial_that_takes_longer_than_others_did_is_about_to_end() -> None:
    assert overview((COMPLETE, 500, 100), (RUNNING, 300, 0)).time_left(NOW) == 0


def test_a_failed_trial_says_nothing_of_how_long_trials_are() -> None:
    study = overview((TrialState.FAIL, 500, 1), (COMPLETE, 400, 100), (WAITING, 0, 0))
    assert study.time_left(NOW) == pytest.approx(100)


def test_before_a_trial_was_tried_the_guess_is_gone_by() -> None:
    study = overview((RUNNING, 10, 0), (WAITING, 0, 0))
    assert study.time_left(NOW) is None
    assert study.time_left(NOW, guess=40.0) == pytest.approx(30 + 40)


def test_the_trial_begun_here_after_the_reading_is_running() -> None:
    study = overview((RUNNING, 10, 0), (WAITING, 0, 0), (WAITING, 0, 0), here=1)
    assert (study.count(RUNNING), study.count(WAITING)) == (2, 1)
    assert [trial.number for trial in study.elsewhere] == [0]


def test_the_trial_that_ended_here_since_is_finished() -> None:
    assert overview((COMPLETE, 10, 5), here=0).count(RUNNING) == 0
