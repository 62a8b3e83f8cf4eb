"""What a run, or one of its cycles, came to: counts, rates and percentiles, from the ledger."""

# ruff: noqa: S608  the parts of the SQL here are constants of this package, no input

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kiosk_locust import moved, percentiles
from kiosk_locust.measures import ENDED, STAGE_FIELDS, is_zip, stage_times
from kiosk_locust.moved import Moved
from kiosk_locust.percentiles import Percentiles
from kiosk_locust.reading import Facts, facts, opened
from kiosk_locust.record import Outcome
from kiosk_locust.sessions import spans
from kiosk_locust.snapshot import Snapshot

_CHOSEN = "(:cycle IS NULL OR cycle = :cycle)"
_ENDED = f"{_CHOSEN} AND outcome IN ('done', 'partial', 'failed')"

#: Where each of the measures that stand in the ledger's columns is read, in seconds.
_COLUMNS = {
    "duration": f"SELECT duration_s AS value FROM tickets WHERE {_ENDED}",
    "queue_wait": f"SELECT queue_wait_s AS value FROM tickets WHERE {_ENDED}",
    "detection_bound": f"SELECT observed_at - observed_after AS value FROM tickets WHERE {_ENDED}",
    "submission_lag": f"SELECT {moved.BEGUN_AT} - due_at AS value FROM tickets WHERE {_CHOSEN}",
}
_ACCEPTED = f"""FROM attempts JOIN tickets ON tickets.id = ticket_id
    WHERE {_CHOSEN} AND result = 'accepted'"""
_ATTEMPTS = {
    "socket_wait": f"SELECT sent_at - asked_at AS value {_ACCEPTED}",
    "submission_http": f"SELECT received_at - sent_at AS value {_ACCEPTED}",
}
_COUNTS = f"""SELECT count(*), count(submitted_at), sum(ambiguous <> 0), sum(polls),
    sum(images_done), sum(images_failed), min(submitted_at),
    max(submitted_at + duration_s), sum(coalesce(expire_error, '') <> ''),
    sum(taken_at > due_at)
    FROM tickets WHERE {_CHOSEN}"""
_CHUNK = 250


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts, rates a second and percentiles in seconds; times are epoch seconds.

    What could not be measured is None. ``makespan_s`` goes from the first submission to the
    end of the job that ended last (its submission plus its duration); rates are over it.
    """

    workload: str
    tickets: int
    outcomes: Mapping[str, int]  # every outcome, those of no ticket as 0
    ended: int  # done, partial or failed: percentiles are over these
    not_ended: int
    submitted: int
    attempts: int  # requests to submit a job, lost and refused ones too
    ambiguous: int
    polls: int
    expire_errors: int
    images_done: int
    images_failed: int
    first_submitted_at: float | None
    last_ended_at: float | None
    makespan_s: float | None
    jobs_per_s: float | None  # done and partial ones
    images_per_s: float | None  # done ones
    rate_wanted_per_s: float | None  # of an open workload: due tickets
    rate_achieved_per_s: float | None  # of an open workload: submissions
    waited_for_user: int | None  # of an open workload: tickets taken after they were due
    duration_from: Mapping[str, int]  # how many durations came from which source
    percentiles_s: Mapping[str, Percentiles]
    moved: Moved

    def as_json(self) -> dict[str, Any]:
        """The same as plain dicts and numbers."""
        return asdict(self)


def summarise(path: Path, cycle: int | None = None) -> Summary:
    """The summary of one cycle, or with None of the whole run; raises LedgerError.

    Takes constant memory and, for a million jobs, tens of seconds of one processor: call it
    from a thread where something else must go on.
    """
    with opened(path) as db:
        return summarise_open(db, facts(db), cycle)


def summarise_open(db: sqlite3.Connection, run: Facts, cycle: int | None) -> Summary:
    """The same from a ledger that is open already."""
    given = {"cycle": cycle}
    # fmt: off
    (tickets, submitted, ambiguous, polls, images_done, images_failed, first, ended_at,
     expire_errors, waited) = db.execute(_COUNTS, given).fetchone()
    # fmt: on
    counted = _tally(db, "outcome", given)
    outcomes = {outcome.value: counted.get(outcome.value, 0) for outcome in Outcome}
    ended = sum(outcomes[outcome] for outcome in ENDED)
    makespan_s = None if ended_at is None or first is None else ended_at - first
    useful = outcomes[Outcome.DONE] + outcomes[Outcome.PARTIAL]
    is_open = run.is_open
    return Summary(
        workload="open" if is_open else "closed",
        tickets=tickets,
        outcomes=outcomes,
        ended=ended,
        not_ended=tickets - ended,
        submitted=submitted,
        attempts=_attempts(db, given),
        ambiguous=ambiguous or 0,
        polls=polls or 0,
        expire_errors=expire_errors or 0,
        images_done=images_done or 0,
        images_failed=images_failed or 0,
        first_submitted_at=first,
        last_ended_at=ended_at,
        makespan_s=makespan_s,
        jobs_per_s=_ratio(useful, makespan_s),
        images_per_s=_ratio(images_done or 0, makespan_s),
        rate_wanted_per_s=_rate(db, "due_at", given) if is_open else None,
        rate_achieved_per_s=_rate(db, "submitted_at", given) if is_open else None,
        waited_for_user=(waited or 0) if is_open else None,
        duration_from=_tally(db, "duration_from", given),
        percentiles_s=_percentiles(db, given),
        moved=moved.count(db, given, is_downloading=run.is_downloading),
    )


def _percentiles(db: sqlite3.Connection, given: Mapping[str, object]) -> dict[str, Percentiles]:
    _collect_stages(db, given)
    stages = {stage: f"SELECT value FROM temp.sample_{stage}" for stage in STAGE_FIELDS}
    queries = {**_COLUMNS, **stages, **_ATTEMPTS, **moved.TIMES}
    return {name: percentiles.of(db, sql, given) for name, sql in queries.items()}


def _collect_stages(db: sqlite3.Connection, given: Mapping[str, object]) -> None:
    """Put the stage times, which stand as text in the hashes, into scratch tables of numbers."""
    for stage in STAGE_FIELDS:
        db.execute(f"DROP TABLE IF EXISTS temp.sample_{stage}")
        db.execute(f"CREATE TEMP TABLE sample_{stage} (value REAL NOT NULL)")
    rows = db.execute(f"SELECT fields, job_id, file FROM tickets WHERE {_ENDED}", given)
    while chunk := rows.fetchmany(_CHUNK):
        found = [_stage_times(*row) for row in chunk if row[0]]
        for stage in STAGE_FIELDS:
            values = _column(times[stage] for times in found)
            db.executemany(f"INSERT INTO temp.sample_{stage} VALUES (?)", values)


def _stage_times(fields: str, job_id: str | None, file: str) -> dict[str, tuple[float, ...]]:
    return stage_times(Snapshot(json.loads(fields)), zipped=is_zip(file, job_id or ""))


def _column(times: Iterable[tuple[float, ...]]) -> Iterator[tuple[float]]:
    return ((value,) for values in times for value in values)


def _tally(db: sqlite3.Connection, column: str, given: Mapping[str, object]) -> dict[str, int]:
    sql = f"""SELECT {column}, count(*) FROM tickets
        WHERE {_CHOSEN} AND {column} IS NOT NULL GROUP BY {column}"""
    return dict(db.execute(sql, given).fetchall())


def _attempts(db: sqlite3.Connection, given: Mapping[str, object]) -> int:
    sql = f"SELECT count(*) FROM attempts JOIN tickets ON tickets.id = ticket_id WHERE {_CHOSEN}"
    number: int = db.execute(sql, given).fetchone()[0]
    return number


def _ratio(number: int, span_s: float | None) -> float | None:
    return number / span_s if span_s else None


def _rate(db: sqlite3.Connection, moment: str, given: Mapping[str, object]) -> float | None:
    """Arrivals a second within the sessions: n of them have n - 1 gaps between them."""
    found = spans(db, moment, "NULL", given)
    return _ratio(found.gaps, found.span_s)
