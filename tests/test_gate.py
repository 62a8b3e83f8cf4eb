from __future__ import annotations

from kiosk_locust.gate import Gate
from kiosk_locust.quality.grammar import parse
from kiosk_locust.record import JobRequest, Outcome, Record, Ticket
from tests.clocks import ManualClock


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
    looked.on_closed(closed(1, Outcome.FAILED, 1.0))
    assert looked.missed() == ""
    clock.sleep(30.0)
    assert looked.missed() == "failed < 10% is missed: measured 100%"


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
            looked.on_closed(closed(number, Outcome.FAILED, 3.0))
        assert bool(looked.missed()) == is_missed, text
