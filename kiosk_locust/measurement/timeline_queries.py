"""Reads what a run's charts are drawn by; from ``temp.times`` and ``temp.stages``.

Tickets that nobody took are left out, as nothing happened to them. Times are in epoch seconds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import NamedTuple

_EXTENT = """SELECT min(coalesce(due_at, submitted_at, closed_at)),
    max(max(coalesce(closed_at, 0), coalesce(submitted_at, 0))) FROM temp.times WHERE taken"""
_JOBS = """SELECT due_at, submitted_at, closed_at, outcome = 'done',
    CASE WHEN ended THEN duration_s END, CASE WHEN ended THEN queue_wait_s END,
    stage_total, stage_download, stage_predict, stage_postprocess, stage_upload
    FROM temp.times WHERE taken"""
_CHILDREN = """SELECT ticket_id, closed_at, stage, value
    FROM temp.stages JOIN temp.times USING (ticket_id)
    WHERE taken AND closed_at IS NOT NULL ORDER BY stages.rowid"""


class Extent(NamedTuple):
    """The first and the last moment of a run's jobs; None of no jobs."""

    first_at: float | None
    last_at: float | None


class ChartedJob(NamedTuple):
    """The steps of one job, and seconds of what the Kiosk measured of an image; None: unknown."""

    due_at: float | None
    submitted_at: float | None
    closed_at: float | None
    is_done: int | None
    duration_s: float | None
    queue_wait_s: float | None
    total_s: float | None
    download_s: float | None
    predict_s: float | None
    postprocess_s: float | None
    upload_s: float | None


class ChartedChildren(NamedTuple):
    """The seconds of a ZIP's children by stage, and the moment at which it was closed."""

    closed_at: float
    times_s: Mapping[str, list[float]]


def extent(db: sqlite3.Connection) -> Extent:
    """The time that the charts are to show."""
    return Extent(*db.execute(_EXTENT).fetchone())


def jobs(db: sqlite3.Connection) -> Iterator[ChartedJob]:
    """Every job, in no order."""
    return map(ChartedJob._make, db.execute(_JOBS))


def children(db: sqlite3.Connection) -> Iterator[ChartedChildren]:
    """The children of every ZIP that was closed."""
    for (_, closed_at), rows in groupby(db.execute(_CHILDREN), key=lambda row: row[:2]):
        times_s: dict[str, list[float]] = {}
        for _, _, stage, value in rows:
            times_s.setdefault(stage, []).append(value)
        yield ChartedChildren(closed_at, times_s)
