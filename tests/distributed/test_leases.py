"""Who holds a ticket, until when, and what becomes of it."""

from __future__ import annotations

from dataclasses import replace

from kiosk_locust.distributed.leases import Fate, Leases, WorkerSession
from kiosk_locust.distributed.messages import Report, Terms
from kiosk_locust.distributed.ticket_pool import UNKNOWN
from kiosk_locust.model.record import Record, Ticket, Upload

TERMS = Terms(lease_s=10.0, margin_s=0.5)
LOST_AT = 10.5


def record(number: int, due_at: float | None = 1.0, job_id: str = "") -> Record:
    return Record(Ticket(number, 1, number, due_at, "a.png"), "", UNKNOWN, 0.0, job_id=job_id)


def report(sent_at: float, session: int = 1, ask: int = 1, bound_s: float = 0.0) -> Report:
    return Report(
        "run",
        session,
        sent_at,
        ask,
        5,
        (),
        drained=False,
        skew_s=0,
        skew_bound_s=bound_s,
        trouble="",
    )


def leases(
    *records: Record, bound_s: float = 0.0, terms: Terms = TERMS
) -> tuple[Leases, WorkerSession]:
    made = Leases(terms)
    session = made.hello("w", 0.0)
    made.heard("w", report(0.0, bound_s=bound_s), 0.0)
    made.grant(session, records, 0.0)
    return made, session


def fates(made: Leases, now: float) -> list[Fate]:
    made.expire(0.0)
    for step in range(1, int(now * 4) + 1):  # the master looks often: it does not stand still
        if lost := made.expire(step / 4):
            return [one.fate for one in lost]
    return []


def test_what_a_silent_worker_holds_is_lost_after_the_lease_and_its_margin() -> None:
    made, _ = leases(record(1))
    assert fates(made, LOST_AT - 0.25) == []
    assert fates(made, LOST_AT) == [Fate.MAYBE]
    assert made.sessions == []
    assert made.owner(1) is None


def test_a_worker_that_is_heard_of_keeps_its_tickets() -> None:
    made, session = leases(record(1))
    made.heard("w", report(5.0), 5.0)
    assert fates(made, LOST_AT + 1) == []
    assert made.holds("w", session.number, 1)


def test_a_job_that_is_known_is_adopted() -> None:
    made, _ = leases(record(1, job_id="job"))
    assert fates(made, LOST_AT) == [Fate.ADOPT]


def test_a_ticket_that_was_not_due_by_the_end_of_the_lease_is_open_again() -> None:
    made, _ = leases(record(1, due_at=LOST_AT + 0.1))
    assert fates(made, LOST_AT) == [Fate.REOPEN]


def test_the_bound_of_the_workers_clock_counts_against_it() -> None:
    made, _ = leases(record(1, due_at=LOST_AT + 0.1), bound_s=0.2)
    assert fates(made, LOST_AT) == [Fate.MAYBE]


def test_a_ticket_without_a_due_time_may_have_been_submitted() -> None:
    made, _ = leases(record(1, due_at=None))
    assert fates(made, LOST_AT) == [Fate.MAYBE]


def test_where_files_are_uploaded_a_ticket_without_its_upload_was_surely_not_submitted() -> None:
    uploaded, known = record(2), record(3, job_id="k")
    uploaded.upload = known.upload = Upload(1.0, 2.0, 3, "uploads/a.png")
    made, _ = leases(record(1), uploaded, known, terms=replace(TERMS, uploads=True))
    assert fates(made, LOST_AT) == [Fate.REOPEN, Fate.MAYBE, Fate.ADOPT]


def test_a_session_that_is_over_cannot_be_renewed_and_a_new_hello_makes_another() -> None:
    made, session = leases(record(1))
    fates(made, LOST_AT)
    assert made.heard("w", report(11.0), 11.0) is None
    assert made.hello("w", 11.0).number == session.number + 1
    assert not made.holds("w", session.number, 1)


def test_hellos_that_come_again_find_the_same_session() -> None:
    made, session = leases()
    assert made.hello("w", 3.0) is session


def test_an_overtaken_report_does_not_take_a_worker_back_to_an_earlier_ask() -> None:
    made, session = leases(record(1))
    made.heard("w", report(2.0, ask=2), 2.0)
    made.heard("w", report(1.0, ask=1), 2.1)
    assert (session.ask, session.echo) == (2, 2.0)


def test_the_last_grant_is_sent_again_only_while_it_seems_lost() -> None:
    made, session = leases(record(1))
    assert not made.to_send_again(session, 0.5)
    assert made.to_send_again(session, 1.0)
    made.heard("w", report(1.0, ask=2), 1.0)
    assert not made.to_send_again(session, 5.0)
