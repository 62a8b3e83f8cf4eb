from __future__ import annotations

import pytest

from kiosk_locust.errors import Answered, NoAnswer
from kiosk_locust.http.exchange import RequestSample
from kiosk_locust.quality.eventloop import LoopWatch
from kiosk_locust.watch import Silence, Waits, Watch
from tests.clocks import ManualClock


def test_a_pause_counts_from_the_last_answer_while_a_request_is_awaited() -> None:
    silence = Silence()
    silence.ended(0.0, 0.1, answered=True)
    silence.ended(0.5, 12.5, answered=True)
    assert silence.longest_s == 12.0


def test_a_pause_in_which_nothing_was_asked_is_no_silence() -> None:
    silence = Silence()
    silence.ended(0.0, 0.1, answered=True)
    silence.ended(60.0, 60.1, answered=True)
    assert silence.longest_s == pytest.approx(0.1)


def test_who_waited_longest_counts_though_he_is_answered_last() -> None:
    silence = Silence()
    silence.ended(0.0, 0.1, answered=True)
    silence.ended(11.0, 12.0, answered=True)  # sent late in the pause, answered first
    silence.ended(0.2, 12.1, answered=True)
    assert silence.longest_s == pytest.approx(11.8)


def test_requests_without_an_answer_do_not_end_a_silence() -> None:
    silence = Silence()
    silence.ended(0.0, 0.1, answered=True)
    for number in range(3):
        silence.ended(0.1 + 10 * number, 10.1 + 10 * number, answered=False)
    silence.ended(30.1, 31.0, answered=True)
    assert silence.longest_s is not None
    assert silence.longest_s >= 10.0


def test_percentiles_of_waits_are_right_within_a_thousandth() -> None:
    waits = Waits()
    for value in range(1, 1001):
        waits.add(value / 100)
    assert waits.percentile_s(99) == pytest.approx(9.9, rel=0.002)
    assert Waits().percentile_s(99) is None


def test_one_long_reply_has_swallowed_the_reports_that_would_have_come() -> None:
    waits = Waits()
    for _ in range(20):
        waits.add(0.01, 0.5)
    waits.add(3.0, 0.5)
    assert waits.percentile_s(80) == pytest.approx(1.0, rel=0.6)


def test_answers_with_an_error_are_answers_and_sockets_are_timed() -> None:
    watch = Watch(ManualClock(100.0))
    refused = Answered("HTTP 503", status=503)
    watch.on_request(RequestSample("POST", "/x", 0.1, 0, refused, 100.0, 0.3))
    watch.on_request(RequestSample("POST", "/x", 5.0, 0, NoAnswer("none"), 101.0, 0.3))
    found = watch.figures()
    assert found.requests == 2
    assert found.socket_wait_p99_s == pytest.approx(0.3, rel=0.002)
    assert found.silence_s == pytest.approx(5.0)


class Late(ManualClock):
    """Sleeps longer than it was asked to, by what stands in ``late``."""

    def __init__(self) -> None:
        super().__init__()
        self.late: list[float] = []

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds + (self.late.pop() if self.late else 0.0))


def test_a_short_run_is_allowed_a_jolt_and_a_long_stall_is_not() -> None:
    clock = Late()
    watch = LoopWatch(clock, 0.02, cpu_s=clock.now, memory=lambda: None)
    clock.late = [0.2]
    for _ in range(50):
        watch.tick()
    found = watch.figures().delay_p99_s
    assert found is not None
    assert found > 0.15
    assert watch.delay_over_s(30.0) == pytest.approx(0.0, abs=0.01)
    clock.late = [2.0]
    watch.tick()
    assert (watch.delay_over_s(30.0) or 0) > 1.0
