"""Applies events to records: those that a worker reports, and those that its account tells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import assert_never

from kiosk_locust.codec import decode
from kiosk_locust.errors import RelayError
from kiosk_locust.formatting.json_text import loads
from kiosk_locust.ledger.send_account import Sent
from kiosk_locust.model.job_hash import Snapshot
from kiosk_locust.model.record import (
    Attempt,
    AttemptResult,
    Download,
    Record,
    StatusChange,
    Upload,
)
from kiosk_locust.model.ticket_events import (
    Closed,
    ExpireFailed,
    Returned,
    Submitted,
    Taken,
    TicketEvent,
    Tried,
)


def apply(record: Record, event: TicketEvent) -> TicketEvent:
    """Bring ``record`` up to date; returns the event as the record has it from now on.

    An attempt gets the record's own number: an earlier owner's may be there already.
    """
    match event:
        case Taken():
            record.user_class, record.request = event.user_class, event.request
            record.taken_at = event.taken_at
        case Upload():
            record.upload = event if event.name else None
        case Tried():
            record.ambiguous |= event.ambiguous
            return Tried(add_attempt(record, event.attempt), event.ambiguous)
        case Submitted():
            record.job_id, record.submitted_at = event.job_id, event.submitted_at
        case StatusChange():
            record.changes.append(event)
        case Closed():
            _close(record, event)
        case ExpireFailed():
            record.expire_error = event.error
        case Returned() | Download():
            pass
        case _:
            assert_never(event)
    return event


def add_attempt(record: Record, attempt: Attempt) -> Attempt:
    """Add an attempt under the record's next number."""
    numbered = replace(attempt, number=len(record.attempts) + 1)
    record.attempts.append(numbered)
    return numbered


def lost_attempt(worker: str, now: float) -> Attempt:
    """The attempt that a worker may have made before it was lost, as of ``now``."""
    text = f"worker {worker} was lost, and may have submitted it"
    return Attempt(0, now, None, None, AttemptResult.MAYBE, error=text)


def unreported(sent: Sequence[Sent], record: Record, now: float) -> Iterator[TicketEvent]:
    """The events of a ticket that a lost worker did not report, by its account.

    None of a ticket without a job: its fate says what may have happened.
    """
    answered = next((request for request in sent if request.answer), None)
    if answered is None:
        return
    taken = taken_of(answered)
    if taken is not None and not record.user_class:
        yield taken
    reported = {attempt.job_id for attempt in record.attempts if attempt.job_id}
    for request in sent:
        attempt = attempt_of(request, "its worker was lost before it was answered", now)
        if attempt.job_id not in reported:
            yield Tried(attempt, ambiguous=attempt.result is AttemptResult.MAYBE)
    accepted = attempt_of(answered)
    yield Submitted(accepted.job_id, accepted.sent_at)


def attempt_of(request: Sent, why: str = "", now: float = 0.0) -> Attempt:
    """A request as an attempt; one that may have arrived says ``why``, as of ``now``."""
    answer = request.answer
    if answer is None:
        return Attempt(request.number, now, None, None, AttemptResult.MAYBE, error=why)
    return Attempt(
        request.number,
        answer.asked_at,
        answer.sent_at,
        answer.received_at,
        AttemptResult.ACCEPTED,
        answer.http_status,
        job_id=answer.job_id,
    )


def taken_of(request: Sent) -> Taken | None:
    """The user class and request of a ticket, if its process kept them in the account."""
    if not request.about:
        return None
    try:
        return decode(Taken, loads(request.about.decode()))
    except (ValueError, RelayError):
        return None


def _close(record: Record, closed: Closed) -> None:
    if closed.job_id:
        record.job_id = closed.job_id
    record.outcome, record.reason = closed.outcome, closed.reason
    record.closed_at, record.polls = closed.closed_at, closed.polls
    record.observed_after, record.observed_at = closed.observed_after, closed.observed_at
    record.snapshot = None if closed.fields is None else Snapshot(closed.fields)
