"""Ledgers for tests, made by SQL alone, so that the ledger's writer is not needed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kiosk_locust.ledger import schema
from kiosk_locust.ledger.reader import facts, opened
from kiosk_locust.measurement.summary import Summary, summarise_open
from kiosk_locust.model.record import JobRequest

RUN_ID = "0123456789abcdef0123456789abcdef"
#: The moment, in epoch seconds, at which the runs of tests begin.
T0 = 1_800_000_000.0
REQUEST = JobRequest("segmentation", "a.png", "uploads/a.png", "NuclearSegmentation", "3")
IMAGE_FIELDS: Mapping[str, str] = {
    "status": "done",
    "created_at": "2027-01-15T08:00:00.000Z",
    "updated_at": "2027-01-15T08:00:05.500000+00:00",
    "finished_at": "2027-01-15T08:00:05.000000+00:00",
    "output_url": "https://storage.example/out/1.zip",
    "total_jobs": "1",
    "total_time": "3.5",
    "download_time": "0.25",
    "upload_time": "0.125",
}


@dataclass(frozen=True)
class Row:
    """One ticket with its job; the defaults are an image job that was done in 5 s."""

    cycle: int = 1
    number: int = 0
    due_at: float | None = T0
    file: str = "a.png"
    job_id: str | None = "segmentation:a.png:1"
    taken_at: float | None = T0 - 1
    submitted_at: float | None = T0
    outcome: str = "done"
    status: str | None = "done"
    duration_s: float | None = 5.0
    duration_from: str | None = "finished_at"
    queue_wait_s: float | None = 1.5
    images_done: int | None = 1
    images_failed: int | None = 0
    observed_after: float | None = T0 + 4
    observed_at: float | None = T0 + 6
    closed_at: float = T0 + 6
    reason: str | None = None
    ambiguous: int = 0
    polls: int = 3
    expire_error: str | None = None
    user_class: str = "KioskUser"
    request: JobRequest | None = REQUEST
    fields: Mapping[str, str] | None = field(default_factory=lambda: IMAGE_FIELDS)
    attempts: tuple[tuple[Any, ...], ...] = ()  # rows of attempts, without the ticket
    changes: tuple[tuple[Any, ...], ...] = ()  # rows of changes, without the ticket


def lasting(duration_s: float, submitted_at: float = T0, **more: Any) -> Row:
    """A job that ended so long after its submission, by its hash and by the polls around."""
    end_at = submitted_at + duration_s
    stamp = datetime.fromtimestamp(end_at, UTC).isoformat(timespec="microseconds")
    values: dict[str, Any] = {
        "submitted_at": submitted_at,
        "duration_s": duration_s,
        "observed_after": end_at - 0.1,
        "observed_at": end_at + 0.1,
        "closed_at": end_at + 0.1,
        "fields": {**IMAGE_FIELDS, "created_at": "", "finished_at": stamp, "updated_at": stamp},
    }
    return Row(**{**values, **more})


def never_leased(number: int, **given: Any) -> Row:
    """A ticket that was closed before any user took it."""
    nothing: dict[str, Any] = dict.fromkeys(
        (
            *("job_id", "taken_at", "submitted_at", "status", "duration_s", "duration_from"),
            *("queue_wait_s", "images_done", "images_failed", "observed_after", "observed_at"),
            *("request", "fields"),
        )
    )
    return Row(number=number, outcome="unfinished", polls=0, user_class="", **{**nothing, **given})


def make(
    path: Path,
    rows: Iterable[Row],
    *,
    options: Mapping[str, Any] | None = None,
    cycles: Iterable[tuple[int, float, float | None]] = ((1, T0, T0 + 6),),
    **meta: str,
) -> Path:
    """Write a ledger of one finished run to ``path`` and return it."""
    db = sqlite3.connect(path)
    schema.create(db)
    told = {"num_cycles": 1, "num_gpus": 0, "start_delay_s": 0.05, "arrival": "constant"}
    facts = {
        "run_id": RUN_ID,
        "run_name": "a-run",
        "options": json.dumps({**told, "workload": "open", **(options or {})}),
        "host": "http://kiosk.example",
        "simulated": "false",
        "started_at": str(T0 - 2),
        "time_zero": str(T0),
        "ended_at": str(T0 + 6),
        "ended_by": "all tickets closed",
        "finished": "true",
        "definitions_version": "1",
        **meta,
    }
    db.executemany("INSERT INTO meta VALUES (?, ?)", facts.items())
    db.executemany("INSERT INTO cycles VALUES (?, ?, ?)", cycles)
    known: dict[JobRequest, int] = {}
    for ticket_id, row in enumerate(rows, start=1):
        _insert(db, ticket_id, row, known)
    db.commit()
    db.close()
    return path


def summarise(path: Path, cycle: int | None = None) -> Summary:
    """The summary of one cycle of a ledger, or with None of the whole run."""
    with opened(path) as db:
        return summarise_open(db, facts(db), cycle)


def _insert(db: sqlite3.Connection, ticket_id: int, row: Row, known: dict[JobRequest, int]) -> None:
    request_id = None
    if row.request is not None:
        request_id = known.get(row.request)
        if request_id is None:
            request_id = known[row.request] = len(known) + 1
            body = json.dumps(asdict(row.request))
            db.execute("INSERT INTO requests VALUES (?, ?)", (request_id, body))
    columns = {
        name: getattr(row, name)
        for name in row.__dataclass_fields__
        if name not in ("request", "fields", "attempts", "changes")
    }
    columns |= {
        "id": ticket_id,
        "state": "closed",
        "request_id": request_id,
        "fields": None if row.fields is None else json.dumps(dict(row.fields)),
    }
    names = ", ".join(columns)
    values = ", ".join(f":{name}" for name in columns)
    db.execute(f"INSERT INTO tickets ({names}) VALUES ({values})", columns)
    for attempt in row.attempts:
        db.execute("INSERT INTO attempts VALUES (?,?,?,?,?,?,?,?,?)", (ticket_id, *attempt))
    for change in row.changes:
        phase = change[5] if len(change) > 5 else None
        cells = (ticket_id, *change[:5], phase)
        db.execute("INSERT INTO changes VALUES (?,?,?,?,?,?,?)", cells)
