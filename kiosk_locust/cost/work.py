"""What jobs and images a run came to, for its cost to be shared among; read from the ledger."""

from __future__ import annotations

import sqlite3

from kiosk_locust.cost.types import Work

_COUNTS = """SELECT sum(outcome IN ('done', 'partial')), sum(images_done),
    sum(job_id IS NOT NULL), sum(images_done + images_failed), min(submitted_at),
    max(CASE WHEN job_id IS NOT NULL THEN closed_at END),
    sum(outcome IN ('done', 'partial') AND NOT images_done + images_failed),
    sum(job_id IS NOT NULL AND NOT coalesce(images_done + images_failed, 0))
    FROM tickets WHERE :cycle IS NULL OR cycle = :cycle"""


def counted_a_job(db: sqlite3.Connection) -> int | None:
    """How many images the Kiosk counted in a job that was done, the most; None: in none."""
    sql = """SELECT max(images_done + images_failed) FROM tickets
        WHERE outcome IN ('done', 'partial')"""
    found: int | None = db.execute(sql).fetchone()[0]
    return found or None


def work_done(db: sqlite3.Connection, cycle: int | None, images_per_job: int | None) -> Work:
    """The work of one cycle, or with None of the run.

    What the Kiosk counted in a job counts; ``images_per_job``, where it is known, stands in for
    jobs in which nobody counted.
    """
    row = db.execute(_COUNTS, {"cycle": cycle}).fetchone()
    jobs, images, _submitted, stored = (int(number or 0) for number in row[:4])
    done_uncounted, uncounted = (int(number or 0) for number in row[6:])
    planned = done_uncounted * (images_per_job or 0)
    return Work(
        jobs=jobs,
        images=images + planned,
        images_stored=stored + uncounted * (images_per_job or 0),
        images_planned=planned,
        jobs_uncounted=0 if images_per_job else done_uncounted,
        first_submitted_at=row[4],
        last_closed_at=row[5],
    )
