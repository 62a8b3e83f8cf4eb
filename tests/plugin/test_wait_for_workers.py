"""A master that waits for its workers says which option bounds the wait; with a fake runner."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from locust.runners import STATE_INIT, STATE_RUNNING

from kiosk_locust.errors import Answered
from kiosk_locust.plugin import master_runner
from kiosk_locust.plugin.master_runner import PatientMaster


def words(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, ready: int, state: str
) -> list[str]:
    """What a master with that many of 2 workers says while it waits."""
    monkeypatch.setattr(master_runner, "WORKERS_S", 0.01)
    master: Any = object.__new__(PatientMaster)
    master.clients = SimpleNamespace(ready=[None] * ready)
    master.state = state
    master.tell_of_wait(2)
    with caplog.at_level(logging.INFO):
        gevent.sleep(0.1)
    return [record.message for record in caplog.records if "workers" in record.message]


def test_the_option_that_bounds_the_wait_is_named_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (word,) = words(caplog, monkeypatch, ready=1, state=STATE_INIT)
    assert "2 workers, of which 1 came" in word
    assert "--expect-workers-max-wait" in word


@pytest.mark.parametrize(("ready", "state"), [(2, STATE_INIT), (1, STATE_RUNNING)])
def test_nothing_is_said_where_nobody_waits(
    ready: int, state: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert words(caplog, monkeypatch, ready, state) == []


def test_an_error_is_shown_by_its_words_in_locusts_report() -> None:
    assert repr(Answered("HTTP 404 Not Found", status=404)) == "HTTP 404 Not Found"
