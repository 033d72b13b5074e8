"""Log lines of progress where there is no terminal."""

import logging
import time

import pytest

from multifield.core.progress import FIRST_LINE, LOG_PERIOD, progress


def test_a_long_task_says_soon_what_it_does(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    caplog.set_level(logging.INFO, "multifield")
    with progress("describe", 10, "networks") as advance:
        for wait in (0.9 * FIRST_LINE, 0.2 * FIRST_LINE, FIRST_LINE, LOG_PERIOD):
            now[0] += wait
            advance(1)
    lines = [message.partition(",")[0] for message in caplog.messages]
    seconds = 2.1 * FIRST_LINE + LOG_PERIOD
    assert lines == [
        "describe: 2/10 networks",
        "describe: 4/10 networks",
        f"describe: 10 networks in {seconds:.1f} s",
    ]
