from __future__ import annotations

import pytest

from kiosk_locust.client.exchange import RequestSample
from kiosk_locust.errors import Answered, NoAnswer
from kiosk_locust.measurement.histogram import DurationHistogram
from kiosk_locust.monitoring.event_loop import LoopWatch
from kiosk_locust.monitoring.process import Silence, Watch
from tests.helpers.clocks import ManualClock


def test_a_pause_counts_from_the_last_answer_while_a_request_is_awaited() -> None:
    silence = Silence()
    silence.ended(0.0, 0.1, has_response=True)
    silence.ended(0.5, 12.5, has_response=True)
    assert silence.longest_s == 12.0


def test_a_pause_in_which_nothing_was_asked_is_no_silence() -> None:
    silence = Silence()
    silence.ended(0.0, 0.1, has_response=True)
    silence.ended(60.0, 60.1, has_response=True)
    assert silence.longest_s == pytest.approx(0.1)


def test_who_waited_longest_counts_though_he_is_answered_last() -> None:
    silence = Silence()
    silence.ended(0.0, 0.1, has_response=True)
    silence.ended(11.0, 12.0, has_response=True)  # sent late in the pause, answered first
    silence.ended(0.2, 12.1, has_response=True)
    assert silence.longest_s == pytest.approx(11.8)


def test_requests_without_an_answer_do_not_end_a_silence() -> None:
    silence = Silence()
    silence.ended(0.0, 0.1, has_response=True)
    for number in range(3):
        silence.ended(0.1 + 10 * number, 10.1 + 10 * number, has_response=False)
    silence.ended(30.1, 31.0, has_response=True)
    assert silence.longest_s is not None
    assert silence.longest_s >= 10.0


def test_percentiles_of_waits_are_right_within_a_thousandth() -> None:
    waits = DurationHistogram()
    for value in range(1, 1001):
        waits.add(value / 100)
    assert waits.percentile_s(99) == pytest.approx(9.9, rel=0.002)
    assert DurationHistogram().percentile_s(99) is None


def test_one_long_reply_has_swallowed_the_reports_that_would_have_come() -> None:
    waits = DurationHistogram()
    for _ in range(20):
        waits.add(0.01, 0.5)
    waits.add(3.0, 0.5)
    assert waits.percentile_s(80) == pytest.approx(1.0, rel=0.6)


def test_answers_with_an_error_are_answers_and_sockets_are_timed() -> None:
    watch = begun()
    refused = Answered("HTTP 503", status=503)
    watch.on_request(RequestSample("POST", "/api/redis", 0.1, 0, refused, 100.0, 0.3))
    watch.on_request(RequestSample("POST", "/api/redis", 5.0, 0, NoAnswer("none"), 101.0, 0.3))
    found = watch.figures()
    assert found.requests == 2
    assert found.socket_wait_p99_s == pytest.approx(0.3, rel=0.002)
    assert found.silence_s == pytest.approx(5.0)


def begun(at: float = 100.0) -> Watch:
    """A watch that counts since then, without a greenlet."""
    watch = Watch(ManualClock(at))
    watch.begin()
    return watch


def test_calls_before_the_first_job_is_due_and_after_the_end_do_not_count() -> None:
    watch = Watch(ManualClock(100.0))
    poll = RequestSample("POST", "/api/redis", 15.0, 0, None, 80.0, 9.0)
    watch.on_request(poll)
    assert (watch.figures().requests, watch.figures().silence_s) == (0, None)
    watch.begin()
    watch.on_request(RequestSample("POST", "/api/redis", 0.1, 0, None, 101.0, 0.0))
    watch.stop()
    watch.on_request(poll)
    found = watch.figures()
    assert (found.requests, found.silence_s, found.socket_wait_max_s) == (1, 0.0, 0.0)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/models"),
        ("GET", "/api/jobtypes"),
        ("GET", "/api/health-check"),
        ("POST", "/api/redis/expire"),
    ],
)
def test_only_calls_of_jobs_count(method: str, path: str) -> None:
    watch = begun()
    watch.on_request(RequestSample(method, path, 15.0, 0, NoAnswer("none"), 101.0, 9.0))
    found = watch.figures()
    assert (found.requests, found.silence_s, found.failed_calls) == (0, None, 0)


def test_the_time_that_an_upload_takes_is_no_silence_but_its_answer_ends_one() -> None:
    watch = begun()
    for name, began_at, took_s in (
        ("/api/redis", 100.0, 0.1),
        ("/api/upload", 100.2, 60.0),  # a large file on a slow line
        ("/api/redis", 159.0, 1.3),  # answered with it
    ):
        watch.on_request(RequestSample("POST", name, took_s, 0, None, began_at))
    assert watch.figures().silence_s == 0.0


def test_a_silence_in_which_this_process_stood_still_is_its_own() -> None:
    silence = Silence()
    silence.ended(0.0, 0.1, has_response=True)
    silence.ended(1.0, 21.0, has_response=True)  # stopped from 1.5 to 20.5
    silence.ended(22.0, 24.0, has_response=True)
    assert silence.longest_s == 20.0
    assert silence.longest_without([(1.5, 20.5)]) == pytest.approx(2.0)


def test_an_outage_is_the_longest_time_with_failed_calls_only() -> None:
    watch = begun()
    busy = Answered("HTTP 503", status=503)
    refused = Answered("HTTP 403", status=403)
    calls = [(0.0, None), (1.0, busy), (2.0, NoAnswer("none")), (4.0, None), (5.0, busy)]
    for began_s, error in [*calls, (6.0, refused), (9.0, None)]:
        watch.on_request(RequestSample("POST", "/api/predict", 0.1, 0, error, 100.0 + began_s))
    found = watch.figures()
    assert found.failed_calls == 3
    assert found.outage_s == pytest.approx(3.1)


def test_how_long_sockets_were_held_is_that_of_requests_that_waited_for_one() -> None:
    watch = begun()
    for wait_s, took_s in ((0.0, 0.01), (0.4, 3.0), (0.6, 5.0)):
        watch.on_request(RequestSample("POST", "/api/redis", took_s, 0, None, 100.0, wait_s))
    assert watch.figures().socket_held_s == pytest.approx(4.0)


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
