"""Jobs and images of a run that share its cost; read from the ledger."""

from __future__ import annotations

import sqlite3

from kiosk_locust.cost.types import WorkDone
from kiosk_locust.ledger import queries


def images_counted_per_job(db: sqlite3.Connection) -> int | None:
    """Most images that the Kiosk counted in one successful job; None: it counted none."""
    return queries.most_images_of_a_job(db) or None


def work_done(db: sqlite3.Connection, cycle: int | None, images_per_job: int | None) -> WorkDone:
    """Work of one cycle, or of the run (None).

    The Kiosk's own image counts are used; ``images_per_job``, if set, replaces missing counts.
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
