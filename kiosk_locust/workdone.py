"""What jobs and images a run came to, for its cost to be shared among; read from the ledger."""

from __future__ import annotations

import sqlite3

from kiosk_locust.cost.figures import Work

_COUNTS = """SELECT sum(outcome IN ('done', 'partial')), sum(images_done),
    sum(job_id IS NOT NULL), sum(images_done + images_failed), min(submitted_at),
    max(CASE WHEN job_id IS NOT NULL THEN closed_at END)
    FROM tickets WHERE :cycle IS NULL OR cycle = :cycle"""


def work_done(db: sqlite3.Connection, cycle: int | None, images_per_job: int | None) -> Work:
    """The work of one cycle, or with None of the run.

    ``images_per_job`` stands in for what the Kiosk counted, where it is given.
    """
    row = db.execute(_COUNTS, {"cycle": cycle}).fetchone()
    jobs, images, submitted, stored = (int(number or 0) for number in row[:4])
    if images_per_job is not None:
        images, stored = jobs * images_per_job, submitted * images_per_job
    return Work(
        jobs=jobs,
        images=images,
        images_stored=stored,
        first_submitted_at=row[4],
        last_closed_at=row[5],
    )
