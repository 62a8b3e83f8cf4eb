"""Messages on calls that fail: once, seldom again, with the cause, and one when it is over."""

from __future__ import annotations

import io
import logging
from collections.abc import Sequence
from dataclasses import replace

import pytest
from rich.console import Console

from kiosk_locust.client.call_advice import cause_of, in_short
from kiosk_locust.client.call_trouble import State, Trouble, TroubleKind
from kiosk_locust.errors import (
    BadAnswer,
    Busy,
    KioskLocustError,
    NoAnswer,
    Redirected,
    Refused,
    ServerFault,
    Unreachable,
)
from kiosk_locust.measurement.live_metrics import View
from kiosk_locust.monitoring.call_alerts import HERE, MOST_LOGGED, REPEAT_S, Alerts, line
from kiosk_locust.reporting.terminal import progress
from tests.helpers.clocks import ManualClock

SENT = "POST http://h/api/predict answered 503"
FAILING = Trouble(
    TroubleKind.SUBMISSION, State.FAILING, 100.0, 17, 0, 2, SENT, "HTTP 503", "no pod is ready"
)
SILENT = replace(FAILING, kind=TroubleKind.UPLOAD, state=State.SILENT, tries=0, waiting=5, error="")


class Screen:
    """A run's alerts at moments of the test's own."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        self.clock = ManualClock()
        self.said: dict[str, Sequence[Trouble]] = {}
        self.alerts = Alerts(lambda: self.said, self.clock)

    def look(self, at: float, **said: Sequence[Trouble]) -> None:
        self.clock.time = at
        self.said = said
        self.alerts.look()


@pytest.fixture
def screen(caplog: pytest.LogCaptureFixture) -> Screen:
    return Screen(caplog)


def test_the_warning_has_what_fails_how_often_since_when_and_why(
    screen: Screen, caplog: pytest.LogCaptureFixture
) -> None:
    screen.look(112.0, run=[FAILING])
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    for part in ("POST /api/predict", "12.0 s", "17 tries", "2 are waiting", SENT, "RETRY_BUDGET"):
        assert part in record.getMessage()
    assert "Likely cause: no pod is ready" in record.getMessage()
    assert screen.alerts.lines == ("submissions FAIL for 12.0 s: 17 tries, last HTTP 503",)
    assert screen.alerts.texts == (record.getMessage(),)


def test_a_silence_says_how_many_wait(screen: Screen) -> None:
    screen.look(112.0, run=[SILENT])
    assert screen.alerts.lines == ("NO ANSWER to uploads for 12.0 s (5 waiting)",)


def test_it_is_logged_once_and_seldom_again_with_new_counts(
    screen: Screen, caplog: pytest.LogCaptureFixture
) -> None:
    for at in range(110, 110 + int(REPEAT_S)):
        screen.look(float(at), run=[FAILING])
    assert len(caplog.messages) == 1
    screen.look(110 + REPEAT_S, run=[replace(FAILING, tries=4711)])
    assert "4,711 tries" in caplog.messages[1]


def test_a_silence_that_becomes_an_error_is_said_again(
    screen: Screen, caplog: pytest.LogCaptureFixture
) -> None:
    screen.look(110.0, run=[SILENT])
    for at in (131.0, 132.0):
        screen.look(at, run=[replace(SILENT, state=State.FAILING, tries=1, error="none came")])
    assert len(caplog.messages) == 2
    assert "none came" in caplog.messages[1]


def test_its_end_is_said_with_its_time_and_its_failures_and_then_nothing_stands_there(
    screen: Screen, caplog: pytest.LogCaptureFixture
) -> None:
    screen.look(112.0, run=[FAILING])
    for at in (142.0, 143.0):
        screen.look(at, run=[replace(FAILING, ended_at=142.0)])
    assert caplog.messages[1:] == ["submissions work again after 42.0 s: 17 tries failed"]
    assert not screen.alerts.lines
    assert not screen.alerts.texts


def test_one_worker_of_several_is_named(screen: Screen, caplog: pytest.LogCaptureFixture) -> None:
    screen.look(112.0, w1=[FAILING], w2=[], w3=[])
    assert screen.alerts.lines[0].endswith(" at 1 of 3 workers (w1)")
    assert "has succeeded at 1 of 3 workers (w1) for" in caplog.text


def test_checkpoints_which_a_master_alone_sends_are_said_of_no_worker(screen: Screen) -> None:
    mine = replace(FAILING, kind=TroubleKind.CHECKPOINT)
    screen.look(112.0, **{"w1": [FAILING], "w2": [], HERE: [mine]})
    assert screen.alerts.lines == (
        "submissions FAIL for 12.0 s: 17 tries, last HTTP 503 at 1 of 2 workers (w1)",
        "checkpoints FAIL for 12.0 s: 17 tries, last HTTP 503",
    )


def test_the_failures_of_all_workers_are_added_up(
    screen: Screen, caplog: pytest.LogCaptureFixture
) -> None:
    other = replace(FAILING, since=95.0, tries=3)
    screen.look(112.0, w1=[FAILING], w2=[other])
    assert screen.alerts.lines == ("submissions FAIL for 17.0 s: 20 tries, last HTTP 503",)
    half = {"w1": [replace(FAILING, ended_at=120.0)], "w2": [other]}
    screen.look(121.0, **half)
    assert screen.alerts.lines
    screen.look(126.0, w1=[], w2=[replace(other, ended_at=125.0)])
    assert not screen.alerts.lines
    assert "submissions work again after 30.0 s: 20 tries failed" in caplog.text


def test_it_is_said_again_once_it_has_spread_to_all_workers(
    screen: Screen, caplog: pytest.LogCaptureFixture
) -> None:
    screen.look(112.0, w1=[FAILING], w2=[])
    for at in (115.0, 116.0):
        screen.look(at, w1=[FAILING], w2=[replace(FAILING, since=112.5)])
    assert ["at 1 of 2 workers" in each for each in caplog.messages] == [True, False]


def test_less_than_ten_seconds_of_one_worker_are_not_said(screen: Screen) -> None:
    screen.look(105.0, w1=[FAILING], w2=[])
    assert not screen.alerts.lines


def test_what_comes_and_goes_fills_no_log(screen: Screen, caplog: pytest.LogCaptureFixture) -> None:
    for at in range(110, 510, 20):
        screen.look(float(at), run=[replace(FAILING, since=at - 10.0)])
        assert screen.alerts.lines
        screen.look(at + 5.0, run=[replace(FAILING, since=at - 10.0, ended_at=at + 4.0)])
    assert len(caplog.messages) == 2 * MOST_LOGGED


@pytest.mark.parametrize(
    ("kind", "error", "cause", "short"),
    [
        (
            TroubleKind.UPLOAD,
            NoAnswer("no (REQUEST_TIMEOUT)", sent_whole=True),
            "uniform",
            "no answer",
        ),
        (TroubleKind.UPLOAD, ServerFault("late", status=504), "uniform", "HTTP 504"),
        (TroubleKind.UPLOAD, NoAnswer("reset"), "restarts", "the connection broke"),
        (TroubleKind.POLL, NoAnswer("no (REQUEST_TIMEOUT)"), "hangs", "no answer in time"),
        (TroubleKind.POLL, Unreachable("refused"), "API_HOST", "no connection"),
        (TroubleKind.POLL, ServerFault("bad", status=502), "pods", "HTTP 502"),
        (TroubleKind.POLL, ServerFault("bad", status=500), "Redis", "HTTP 500"),
        (TroubleKind.SUBMISSION, Busy("no", status=503, retry_after_s=None), "ready", "HTTP 503"),
        (
            TroubleKind.SUBMISSION,
            Busy("no", status=429, retry_after_s=1.0),
            "UPDATE_INTERVAL",
            "429",
        ),
        (TroubleKind.POLL, Refused("no", status=403), "access rules", "HTTP 403"),
        (TroubleKind.POLL, Refused("no", status=404), "API_HOST", "HTTP 404"),
        (TroubleKind.UPLOAD, Refused("no", status=413), "proxy-body-size", "HTTP 413"),
        (TroubleKind.POLL, Redirected("no", status=302, location="/"), "login", "HTTP 302"),
        (TroubleKind.POLL, BadAnswer("a page", status=200), "login page", "HTTP 200, no JSON"),
    ],
)
def test_each_fault_has_a_likely_cause_with_what_to_look_at(
    kind: TroubleKind, error: KioskLocustError, cause: str, short: str
) -> None:
    assert cause in cause_of(kind, error)
    assert short in in_short(error)


VIEW = View(5, 0, 5, {}, {}, 0, 0, 12.0, 0.0, None, ())


def test_the_progress_has_it_in_the_log_and_on_a_terminal() -> None:
    said = line(FAILING, 112.0)
    assert progress.line(VIEW, "", [said]).endswith(f"; {said}")
    console = Console(width=100, file=io.StringIO(), record=True)
    console.print(progress.picture(VIEW, alerts=[said]))
    assert said in console.export_text()
