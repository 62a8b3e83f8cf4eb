"""Writes a ledger of rows that no run wrote, such as those of a results file.

Nothing is looked at here: `ledger.validate` tells afterwards if rows are odd. Times are in epoch
seconds; what is not known is None.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from kiosk_locust.ledger import connections, schema, sql
from kiosk_locust.ledger.sessions import Session


class ImportedTicket(NamedTuple):
    """A closed ticket with its job; ``fields`` is its hash as JSON."""

    id: int
    cycle: int
    number: int
    state: str
    due_at: float | None
    file: str
    taken_at: float | None
    job_id: str | None
    submitted_at: float | None
    ambiguous: int
    polls: int
    status: str | None
    observed_after: float | None
    observed_at: float | None
    outcome: str
    reason: str | None
    closed_at: float | None
    expire_error: str | None
    images_done: int | None
    images_failed: int | None
    duration_s: float | None
    duration_from: str | None
    queue_wait_s: float | None
    fields: str


class ImportedAttempt(NamedTuple):
    """One request to submit a job."""

    ticket_id: int
    number: int
    asked_at: float
    sent_at: float | None
    received_at: float | None
    result: str
    http_status: int | None
    error: str | None
    job_id: str | None


class ImportedChange(NamedTuple):
    """A status that a poll saw first."""

    ticket_id: int
    observed_at: float
    after: float
    status: str
    updated_at: float | None
    updated_by: str | None
    phase: str | None


class ImportedRows(NamedTuple):
    """All of a ledger; its tables are read one after the other."""

    facts: Mapping[str, str]
    tickets: Iterable[ImportedTicket]
    attempts: Iterable[ImportedAttempt]
    changes: Iterable[ImportedChange]
    sessions: Iterable[Session]


def _insert(table: str, columns: tuple[str, ...]) -> str:
    marks = ", ".join("?" * len(columns))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608  constants


_TICKET = _insert("tickets", ImportedTicket._fields)
_ATTEMPT = _insert("attempts", ImportedAttempt._fields)
_SESSION = "INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?)"


def write(path: Path, rows: ImportedRows) -> None:
    """Make the ledger; raises sqlite3.Error for values that SQLite does not take."""
    with contextlib.closing(connections.connect(path, "rwc")) as db:
        schema.create(db)
        db.executemany("INSERT INTO meta VALUES (?, ?)", rows.facts.items())
        db.executemany(_TICKET, rows.tickets)
        db.executemany(_ATTEMPT, rows.attempts)
        db.executemany(sql.CHANGE, rows.changes)
        db.executemany(_SESSION, map(_session, rows.sessions))
        db.commit()


def _session(session: Session) -> tuple[object, ...]:
    return (
        *(session.number, session.started_at, session.time_zero),
        *(session.ended_at, session.ended_by, json.dumps(session.changed)),
    )
