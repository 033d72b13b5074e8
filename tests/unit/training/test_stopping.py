import signal
import threading
from collections.abc import Iterator

import pytest

from multifield.training.stopping import (
    SIGNALS,
    TrainingInterrupted,
    end_on_sigterm,
    listen_for_stop,
)


@pytest.fixture(autouse=True)
def handlers_come_back() -> Iterator[None]:
    before = [signal.getsignal(each) for each in SIGNALS]
    yield
    assert [signal.getsignal(each) for each in SIGNALS] == before


@pytest.mark.parametrize("signum", SIGNALS)
def test_a_signal_is_a_request(signum: signal.Signals) -> None:
    with pytest.raises(TrainingInterrupted) as caught, listen_for_stop() as check:  # noqa: PT012
        check()
        signal.raise_signal(signum)
        reached = True
        check()
    assert reached
    assert caught.value.signal == signum


def test_a_second_one_ends_at_once() -> None:
    with pytest.raises(KeyboardInterrupt) as caught, listen_for_stop():  # noqa: PT012
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
    assert caught.type is KeyboardInterrupt


def test_a_worker_that_leaves_is_a_request() -> None:
    leaving: list[int] = []
    with listen_for_stop(lambda: bool(leaving)) as check:
        check()
        leaving.append(1)
        with pytest.raises(TrainingInterrupted) as caught:
            check()
    assert caught.value.signal == signal.SIGTERM


def test_sigterm_ends_the_program_as_ctrl_c_does() -> None:
    with pytest.raises(TrainingInterrupted), end_on_sigterm():
        signal.raise_signal(signal.SIGTERM)


def test_a_signal_that_came_too_late_reaches_the_handler_before() -> None:
    heard = []
    before = signal.signal(signal.SIGTERM, lambda *_: heard.append(1))
    try:
        with listen_for_stop():
            signal.raise_signal(signal.SIGTERM)
            assert not heard
        assert heard == [1]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as under nohup
    try:
        with listen_for_stop() as check:
            signal.raise_signal(signal.SIGINT)
            check()
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_hear_nothing_and_break_nothing() -> None:
    seen = []

    def work() -> None:
        with listen_for_stop() as check:
            seen.append([signal.getsignal(each) for each in SIGNALS])
            check()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [[signal.getsignal(each) for each in SIGNALS]]
