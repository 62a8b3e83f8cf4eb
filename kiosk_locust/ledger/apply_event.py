"""What a piece of news does to a record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from kiosk_locust.codec import decode
from kiosk_locust.errors import RelayError
from kiosk_locust.formatting.json_text import loads
from kiosk_locust.ledger.send_account import Sent
from kiosk_locust.model.job_hash import Snapshot
from kiosk_locust.model.record import Attempt, AttemptResult, Record, StatusChange
from kiosk_locust.model.ticket_events import Closed, Kind, News, Submitted, Taken, Tried


def add(record: Record, news: News) -> Attempt | StatusChange | None:
    """Bring ``record`` up to date; returns the attempt or the change that was added, if any.

    Attempts get the record's own numbers: an earlier owner's may be there already.
    """
    if news.taken:
        record.user_class = news.taken.user_class
        record.request = news.taken.request
        record.taken_at = news.taken.taken_at
    if news.uploaded:
        record.upload = news.uploaded if news.uploaded.name else None
    if news.tried:
        record.ambiguous |= news.tried.ambiguous
        return add_attempt(record, news.tried.attempt)
    if news.submitted:
        record.job_id = news.submitted.job_id
        record.submitted_at = news.submitted.submitted_at
    if news.changed:
        record.changes.append(news.changed)
        return news.changed
    if news.closed:
        _close(record, news.closed)
    if news.text:
        record.expire_error = news.text
    return None


def add_attempt(record: Record, attempt: Attempt) -> Attempt:
    """Add an attempt under the record's next number."""
    numbered = replace(attempt, number=len(record.attempts) + 1)
    record.attempts.append(numbered)
    return numbered


def lost_attempt(worker: str, now: float) -> Attempt:
    """What may have happened at a worker that was lost."""
    text = f"worker {worker} was lost, and may have submitted it"
    return Attempt(0, now, None, None, AttemptResult.MAYBE, error=text)


def news_of(sent: Sequence[Sent], record: Record, now: float) -> Iterator[News]:
    """The news that a lost worker owes of a ticket that has a job, by its account.

    Nothing of one that has none: its fate says what may have happened.
    """
    answered = next((request for request in sent if request.answer), None)
    if answered is None:
        return
    news = partial(News, session=0, ticket_id=record.ticket.id)
    taken = taken_of(answered)
    if taken is not None and not record.user_class:
        yield news(Kind.TAKEN, taken=taken)
    tried = {attempt.job_id for attempt in record.attempts if attempt.job_id}
    for request in sent:
        attempt = attempt_of(request, "its worker was lost before it was answered", now)
        if attempt.job_id in tried:
            continue
        maybe = attempt.result is AttemptResult.MAYBE
        yield news(Kind.TRIED, tried=Tried(attempt, ambiguous=maybe))
    job_id, sent_at = attempt_of(answered).job_id, attempt_of(answered).sent_at
    yield news(Kind.SUBMITTED, submitted=Submitted(job_id, sent_at))


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
