"""What a piece of news does to a record."""

from __future__ import annotations

from dataclasses import replace

from kiosk_locust.record import Attempt, AttemptResult, Record, StatusChange
from kiosk_locust.relay.news import Closed, News
from kiosk_locust.snapshot import Snapshot


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


def _close(record: Record, closed: Closed) -> None:
    if closed.job_id:
        record.job_id = closed.job_id
    record.outcome, record.reason = closed.outcome, closed.reason
    record.closed_at, record.polls = closed.closed_at, closed.polls
    record.observed_after, record.observed_at = closed.observed_after, closed.observed_at
    record.snapshot = None if closed.fields is None else Snapshot(closed.fields)
