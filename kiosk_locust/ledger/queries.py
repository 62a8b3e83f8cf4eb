"""Reads what several packages want of an open ledger: counts, cycles, moments and failures.

``cycle`` is a cycle's number, or None for all. Times are in epoch seconds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import NamedTuple


class CycleTimes(NamedTuple):
    """The beginning and the end of one cycle; ``ended_at`` is None while it goes on."""

    number: int
    started_at: float
    ended_at: float | None


class FailedTicket(NamedTuple):
    """A ticket that was taken and did not end well, with its job's hash as stored JSON."""

    closed_at: float
    number: int
    cycle: int
    job_id: str | None
    outcome: str
    reason: str | None
    fields: str | None


class WorkCounts(NamedTuple):
    """Sums over jobs; each is None of no tickets. Images are those that the Kiosk counted."""

    jobs: int | None
    images_done: int | None
    images: int | None
    first_submitted_at: float | None
    last_closed_at: float | None
    done_uncounted: int | None  # jobs that ended well in which nobody counted images
    uncounted: int | None


def cycles(db: sqlite3.Connection, cycle: int | None = None) -> list[CycleTimes]:
    """The cycles that have begun, in order."""
    rows = db.execute(
        """SELECT cycle, started_at, ended_at FROM cycles
        WHERE :cycle IS NULL OR cycle = :cycle ORDER BY cycle""",
        {"cycle": cycle},
    )
    return [CycleTimes(*row) for row in rows]


def tickets_by_cycle(db: sqlite3.Connection) -> dict[int, int]:
    """The number of tickets of each cycle that has any, in the order of the cycles."""
    rows = db.execute("SELECT cycle, count(*) FROM tickets GROUP BY 1 ORDER BY 1").fetchall()
    return dict(rows)


def tickets_by_outcome(db: sqlite3.Connection) -> dict[str | None, int]:
    """The number of tickets by outcome; None: those that are open."""
    return dict(db.execute("SELECT outcome, count(*) FROM tickets GROUP BY 1").fetchall())


def tickets_and_closed(db: sqlite3.Connection) -> tuple[int, int]:
    """The number of tickets, and of those that are closed."""
    tickets, closed = db.execute("SELECT count(*), count(outcome) FROM tickets").fetchone()
    return tickets, closed


def jobs_by_status(db: sqlite3.Connection) -> dict[str, int]:
    """The number of jobs in the Kiosk by their last status."""
    sql = """SELECT coalesce(status, 'submitted'), count(*) FROM tickets
        WHERE state = 'submitted' GROUP BY 1"""
    return dict(db.execute(sql).fetchall())


def last_closed_at(db: sqlite3.Connection, cycle: int | None = None) -> float | None:
    """The moment at which the last ticket was closed; None where none is."""
    sql = "SELECT max(closed_at) FROM tickets WHERE :cycle IS NULL OR cycle = :cycle"
    closed_at: float | None = db.execute(sql, {"cycle": cycle}).fetchone()[0]
    return closed_at


def failures(db: sqlite3.Connection, most: int) -> Iterator[FailedTicket]:
    """The last ``most`` tickets that did not end well, the newest first, unfinished ones last."""
    rows = db.execute(
        """SELECT closed_at, number, cycle, job_id, outcome, reason, fields FROM tickets
        WHERE outcome <> 'done' AND taken_at IS NOT NULL
        ORDER BY outcome = 'unfinished', closed_at DESC, id DESC LIMIT ?""",
        (most,),
    )
    return (FailedTicket(*row) for row in rows)


def most_images_of_a_job(db: sqlite3.Connection) -> int | None:
    """The most images of a job that ended well; None where there is no such job."""
    sql = """SELECT max(images_done + images_failed) FROM tickets
        WHERE outcome IN ('done', 'partial')"""
    images: int | None = db.execute(sql).fetchone()[0]
    return images


def work_counts(db: sqlite3.Connection, cycle: int | None) -> WorkCounts:
    """The jobs and images that one cycle, or the run, came to."""
    row = db.execute(
        """SELECT sum(outcome IN ('done', 'partial')), sum(images_done),
        sum(images_done + images_failed), min(submitted_at),
        max(CASE WHEN job_id IS NOT NULL THEN closed_at END),
        sum(outcome IN ('done', 'partial') AND NOT images_done + images_failed),
        sum(job_id IS NOT NULL AND NOT coalesce(images_done + images_failed, 0))
        FROM tickets WHERE :cycle IS NULL OR cycle = :cycle""",
        {"cycle": cycle},
    ).fetchone()
    return WorkCounts(*row)


def session_count(db: sqlite3.Connection) -> int:
    """The number of sessions that worked on the run."""
    count: int = db.execute("SELECT count(*) FROM sessions").fetchone()[0]
    return count


def fact(db: sqlite3.Connection, key: str) -> str | None:
    """The text of one fact of the run; None where there is none."""
    row = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return None if row is None else row[0]


def short_facts(db: sqlite3.Connection, keys: Sequence[str], most: int) -> dict[str, str]:
    """The texts of those facts of ``keys`` that have less than ``most`` characters."""
    marks = ", ".join("?" * len(keys))
    sql = f"SELECT key, value FROM meta WHERE length(value) < ? AND key IN ({marks})"  # noqa: S608  marks alone
    return dict(db.execute(sql, (most, *keys)).fetchmany(len(keys)))
