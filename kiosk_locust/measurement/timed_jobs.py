"""Each job of a ledger with its times and all that was written of it, in the order of tickets.

A run of a million jobs comes through here job by job; tables are read side by side, each once.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, NamedTuple, TypeVar


class TimedJob(NamedTuple):
    """A ticket and its job; times in epoch seconds, None where not known. SQLite has no booleans.

    ``uploaded_name`` is that of its own upload. Parts are those of `measurement.stages`.
    """

    status: str | None
    reason: str | None
    job_id: str | None
    ticket: int  # its number in the cycle
    cycle: int
    outcome: str | None
    user_class: str | None
    file: str
    uploaded_name: str | None
    due_at: float | None
    taken_at: float | None
    submitted_at: float | None
    observed_after: float | None
    observed_at: float | None
    closed_at: float | None
    ambiguous: int
    polls: int
    images_done: int
    images_failed: int
    expire_error: str | None
    in_summary: int  # neither warm-up nor cool-down left it out
    duration_s: float | None  # of a job that ended
    duration_from: str | None
    duration_error_s: float | None
    duration_corrected: int
    duration_flaw: str | None
    since_due_s: float | None
    since_due_error_s: float | None
    ended_at: float | None
    ended_from: str | None
    lag_s: float | None
    socket_wait_s: float | None
    submission_http_s: float | None
    creation_s: float | None
    queue_wait_s: float | None
    interruptions: int | None
    interrupted_s: float | None
    interrupted_error_s: float | None
    processing_s: float | None
    detection_s: float | None
    unknown_s: float | None
    unpacking_s: float | None
    children_s: float | None
    packing_s: float | None
    stage_bounds_s: str | None  # stored JSON


class AttemptRow(NamedTuple):
    """One request to submit a job."""

    number: int
    result: str
    asked_at: float
    sent_at: float | None
    received_at: float | None
    socket_wait_s: float | None
    http_s: float | None
    http_status: int | None
    error: str | None
    job_id: str | None


class UploadRow(NamedTuple):
    """One upload of a ticket's file; it failed if it has no name."""

    number: int
    began_at: float
    ended_at: float
    seconds: float
    bytes: int
    name: str | None
    error: str | None


class DownloadRow(NamedTuple):
    """The download of what a job made; it failed if it has no path."""

    began_at: float
    ended_at: float
    seconds: float
    bytes: int
    tries: int
    path: str | None
    error: str | None


class ChangeRow(NamedTuple):
    """A status that a poll saw first."""

    status: str
    after: float
    observed_at: float
    updated_at: float | None
    updated_by: str | None
    phase: str | None


class JobRows(NamedTuple):
    """All of one job; ``fields`` (its hash) and ``request`` (what was asked) are stored JSON."""

    job: TimedJob
    fields: str | None
    request: str | None  # None of a ticket for which nothing was asked
    attempts: list[AttemptRow]
    uploads: list[UploadRow]
    downloads: list[DownloadRow]  # at most one
    changes: list[ChangeRow]


#: Columns whose SQL is not their name.
_SQL = {
    "reason": "nullif(reason, '')",
    "ticket": "number",
    "cycle": "tickets.cycle",
    "outcome": "tickets.outcome",
    "uploaded_name": "nullif(uploaded_name, '')",
    "due_at": "tickets.due_at",
    "submitted_at": "tickets.submitted_at",
    "closed_at": "tickets.closed_at",
    "images_done": "coalesce(tickets.images_done, 0)",
    "images_failed": "coalesce(images_failed, 0)",
    "in_summary": "kept",
    "duration_s": "CASE WHEN ended THEN times.duration_s END",
    "duration_from": "times.duration_from",
    "duration_corrected": "is_corrected",
    "duration_flaw": "nullif(flaw, '')",
    "since_due_s": "CASE WHEN ended_since_due THEN since_due_s END",
    "ended_at": "times.ended_at",
    "queue_wait_s": "times.queue_wait_s",
    "stage_bounds_s": "stage_bounds",
}
_OF_ATTEMPT = {
    "socket_wait_s": "sent_at - asked_at",
    "http_s": "received_at - sent_at",
    "error": "nullif(error, '')",
    "job_id": "nullif(job_id, '')",
}
_OF_TRANSFER = {"seconds": "ended_at - began_at"}
_OF_CHANGE = {"updated_by": "nullif(updated_by, '')"}


def _columns(names: tuple[str, ...], sql: Mapping[str, str]) -> str:
    return ", ".join(sql.get(name, name) for name in names)


def _beside(table: str, columns: str, order: str) -> str:
    return f"""SELECT ticket_id, {columns} FROM {table}
        WHERE ticket_id BETWEEN :first AND :last ORDER BY ticket_id, {order}"""  # noqa: S608  constants


_ATTEMPTS = _beside("attempts", _columns(AttemptRow._fields, _OF_ATTEMPT), "number")
_UPLOADS = _beside("uploads", _columns(UploadRow._fields, _OF_TRANSFER), "number")
_DOWNLOADS = _beside("downloads", _columns(DownloadRow._fields, _OF_TRANSFER), "ticket_id")
_CHANGES = _beside("changes", _columns(ChangeRow._fields, _OF_CHANGE), "observed_at")
_JOBS = f"""SELECT tickets.id, fields, requests.body, {_columns(TimedJob._fields, _SQL)}
    FROM tickets JOIN temp.times ON times.ticket_id = tickets.id
    LEFT JOIN requests ON requests.id = request_id
    WHERE tickets.id BETWEEN :first AND :last AND (:cycle IS NULL OR tickets.cycle = :cycle)
    ORDER BY tickets.id"""  # noqa: S608  constants
_IDS = "SELECT min(id), max(id) FROM tickets WHERE :cycle IS NULL OR cycle = :cycle"


def timed_jobs(db: sqlite3.Connection, cycle: int | None) -> Iterator[JobRows]:
    """The jobs in order of their tickets, one at a time; all cycles' with None.

    `timing_tables.gather` has been called with the same connection.
    """
    first, last = db.execute(_IDS, {"cycle": cycle}).fetchone()
    chosen = {"cycle": cycle, "first": first, "last": last}
    attempts = _Companion(AttemptRow._make, db.execute(_ATTEMPTS, chosen))
    uploads = _Companion(UploadRow._make, db.execute(_UPLOADS, chosen))
    downloads = _Companion(DownloadRow._make, db.execute(_DOWNLOADS, chosen))
    changes = _Companion(ChangeRow._make, db.execute(_CHANGES, chosen))
    for ticket_id, fields, request, *columns in db.execute(_JOBS, chosen):
        yield JobRows(
            TimedJob._make(columns),
            fields,
            request,
            attempts.of(ticket_id),
            uploads.of(ticket_id),
            downloads.of(ticket_id),
            changes.of(ticket_id),
        )


Row = TypeVar("Row")
#: What comes after the last row.
_NO_ROW: tuple[Any, ...] = (math.inf,)


class _Companion(Generic[Row]):
    """Rows of another table, read beside the tickets in the same order, each once."""

    def __init__(
        self, make: Callable[[Iterable[Any]], Row], rows: Iterator[tuple[Any, ...]]
    ) -> None:
        self._make: Callable[[Iterable[Any]], Row] = make
        self._rows = rows
        self._next = next(self._rows, _NO_ROW)
        self._at: float = self._next[0]  # the ticket of the next row

    def of(self, ticket_id: int) -> list[Row]:
        """The rows of this ticket; those of tickets before it are passed over."""
        rows: list[Row] = []
        if self._at > ticket_id:  # most have no uploads and no downloads
            return rows
        row = self._next
        while row[0] <= ticket_id:
            if row[0] == ticket_id:
                rows.append(self._make(row[1:]))
            row = next(self._rows, _NO_ROW)
        self._next, self._at = row, row[0]
        return rows
