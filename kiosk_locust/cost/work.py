"""What jobs and images a run came to, for its cost to be shared among; read from the ledger."""

from __future__ import annotations

import sqlite3

from kiosk_locust.cost.types import WorkDone
from kiosk_locust.ledger import queries


def counted_a_job(db: sqlite3.Connection) -> int | None:
    """The most images that the Kiosk counted in a job that ended well; None: it counted none."""
    return queries.most_images_of_a_job(db) or None


def work_done(db: sqlite3.Connection, cycle: int | None, images_per_job: int | None) -> WorkDone:
    """The work of one cycle, or with None of the run.

    What the Kiosk counted in a job counts; ``images_per_job``, where it is known, stands in for
    jobs in which nobody counted.
    """
    counts = queries.work_counts(db, cycle)
    done_uncounted, planned_images = counts.done_uncounted or 0, images_per_job or 0
    planned = done_uncounted * planned_images
    return WorkDone(
        jobs=counts.jobs or 0,
        images=(counts.images_done or 0) + planned,
        images_stored=(counts.images or 0) + (counts.uncounted or 0) * planned_images,
        images_planned=planned,
        jobs_uncounted=0 if images_per_job else done_uncounted,
        first_submitted_at=counts.first_submitted_at,
        last_closed_at=counts.last_closed_at,
    )
