from __future__ import annotations

from kiosk_locust.model.record import Attempt, AttemptResult, JobRequest, Outcome, Record, Ticket
from kiosk_locust.verdict.threshold_parser import parse
from kiosk_locust.verdict.threshold_watch import Gate
from tests.helpers.clocks import ManualClock
from tests.helpers.records import tell_closed


def gate(clock: ManualClock, *texts: str, after_s: float = 30.0) -> Gate:
    return Gate([parse(text) for text in texts], after_s, clock, lambda _: None)


def closed(number: int, outcome: Outcome, took_s: float) -> Record:
    record = Record(Ticket(number, 1, number, 0.0, "a.png"), "User", JobRequest("j", "a", "a"), 0.0)
    record.outcome, record.submitted_at = outcome, 0.0
    record.observed_after = record.observed_at = took_s
    return record


def test_within_the_grace_nothing_is_missed() -> None:
    clock = ManualClock(0.0)
    looked = gate(clock, "failed < 10%")
    tell_closed(looked, closed(1, Outcome.FAILED, 1.0))
    assert looked.missed() is None
    clock.sleep(30.0)
    assert str(looked.missed()) == "failed < 10% is missed: measured 100%"


def test_jobs_that_the_end_came_before_dilute_no_share() -> None:
    looked = gate(ManualClock(100.0), "failed < 60%", after_s=0.0)
    tell_closed(looked, closed(1, Outcome.FAILED, 1.0))
    for number in range(2, 9):
        never = closed(number, Outcome.UNFINISHED, 1.0)
        never.submitted_at = None
        tell_closed(looked, never)
    assert str(looked.missed()) == "failed < 60% is missed: measured 100%"


def test_percentiles_shares_and_the_makespan_are_looked_at() -> None:
    clock = ManualClock(0.0)
    clock.sleep(100.0)
    for text, is_missed in {
        "job_since_due.p50 < 2s": True,
        "job_since_due.p50 < 4s": False,
        "rejected <= 0 jobs": False,
        "makespan < 99s": True,
        "makespan < 101s": False,
        "throughput > 40 images/s": False,
        "cost.total < 1": False,
        "done > 99%": False,
    }.items():
        looked = gate(clock, text)
        looked.start(0.0)
        looked.stop()
        for number in range(10):
            tell_closed(looked, closed(number, Outcome.FAILED, 3.0))
        assert bool(looked.missed()) == is_missed, text


def submitted(number: int, at: float) -> Record:
    record = Record(Ticket(number, 1, number, at, "a.png"), "User", JobRequest("j", "a", "a"), at)
    record.submitted_at = at
    return record


def test_a_kiosk_that_ends_no_job_is_seen_by_the_age_of_those_in_flight() -> None:
    clock = ManualClock(0.0)
    looked = gate(clock, "job.p95 < 60s")
    for number in range(100):
        looked.on_submitted(submitted(number, 0.5 * number))
    clock.sleep(60.0)
    assert looked.missed() is None  # the oldest is just 60 s old
    clock.sleep(2.0)
    assert looked.missed() is None  # 5 of 100 may take as long as they like
    clock.sleep(1.0)
    assert str(looked.missed()).startswith("job.p95 < 60s is missed: measured 6")


def test_jobs_that_ended_are_no_longer_in_flight() -> None:
    clock = ManualClock(0.0)
    looked = gate(clock, "job.p50 < 60s", "job_since_due.p50 < 60s")
    for number in range(100):
        looked.on_submitted(submitted(number, 0.0))
        tell_closed(looked, closed(number, Outcome.DONE, 1.0))
    clock.sleep(1000.0)
    assert looked.missed() is None


def test_a_percentile_of_too_few_jobs_ends_no_run() -> None:
    clock = ManualClock(100.0)
    looked = gate(clock, "job_since_due.p95 < 2s", after_s=0.0)
    for number in range(71):
        tell_closed(looked, closed(number, Outcome.DONE, 3.0))
    assert looked.missed() is None
    tell_closed(looked, closed(71, Outcome.DONE, 3.0))
    assert looked.missed() is not None


def test_the_longest_of_all_needs_no_second_job() -> None:
    looked = gate(ManualClock(100.0), "job_since_due.max < 2s", after_s=0.0)
    tell_closed(looked, closed(1, Outcome.DONE, 3.0))
    assert looked.missed() is not None


def test_how_jobs_were_submitted_and_seen_is_looked_at() -> None:
    for text, is_missed in {
        "submission_lag.max < 2s": True,
        "submission_lag.max < 4s": False,
        "socket_wait.max < 400ms": True,
        "socket_wait.max < 600ms": False,
        "submission_http.max < 200ms": True,
        "submission_http.max < 300ms": False,
        "detection_bound.max < 1s": True,
        "detection_bound.max < 3s": False,
    }.items():
        looked = gate(ManualClock(100.0), text, after_s=0.0)
        record = closed(1, Outcome.DONE, 9.0)
        record.attempts = [Attempt(1, 3.0, 3.5, 3.75, AttemptResult.ACCEPTED)]
        record.observed_after = 7.0
        tell_closed(looked, record)
        assert bool(looked.missed()) == is_missed, text
