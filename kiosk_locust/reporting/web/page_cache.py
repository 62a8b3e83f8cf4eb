"""What a page tells of a run's jobs, worked out once; the ledger keeps it for later pages."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict, dataclass
from typing import Any

from kiosk_locust.ledger import queries
from kiosk_locust.ledger.reader import RunFacts
from kiosk_locust.measurement import timeline_queries
from kiosk_locust.measurement.ledger_analysis import Reckoning
from kiosk_locust.measurement.summary import Summary
from kiosk_locust.measurement.timeline_queries import ChartedJob
from kiosk_locust.model import definitions
from kiosk_locust.reporting.web.timeline import STACKED, Timeline, TimelineValues, parts, width_for
from kiosk_locust.reporting.web.view_model import Bars, histogram

#: The fact of the ledger that it is kept under.
KEY = "page"
#: Of a Told that another version of this package kept, nothing is read.
VERSION = 2


@dataclass(frozen=True, slots=True)
class Told:
    """What takes a look at each job: figures, and charts by the same times."""

    summary: Summary
    begun_at: float  # epoch seconds, the charts' zero
    course: TimelineValues
    durations: Bars

    def as_text(self, reckoning: Reckoning) -> str:
        """As the ledger keeps it, with what it was worked out of; all of it is bounded."""
        guard = _guard(reckoning.db, reckoning.run)
        return json.dumps({"version": VERSION, "guard": guard, "told": asdict(self)})


def work_out(reckoning: Reckoning) -> Told:
    """What there is to tell of a ledger; the reckoning was entered."""
    summary = reckoning.summary()
    timeline = _timeline(reckoning.db, reckoning.run)
    return Told(summary, timeline.begun_at, timeline.course(), histogram(timeline.durations))


def kept(db: sqlite3.Connection, run: RunFacts) -> Told | None:
    """What the ledger keeps; None where it keeps nothing, or where it went on since then."""
    text = queries.fact(db, KEY)
    try:
        found = json.loads(text or "{}")
        if found.get("version") != VERSION or found["guard"] != _guard(db, run):
            return None
        return _from_json(found["told"])
    except (AttributeError, KeyError, TypeError, ValueError):  # whoever wrote it, it is not ours
        return None


def _guard(db: sqlite3.Connection, run: RunFacts) -> list[Any]:
    """What is another one as soon as the run goes on."""
    return [
        *(definitions.VERSION, run.ended_at, len(run.sessions)),
        *queries.tickets_and_closed(db),
    ]


def _from_json(found: dict[str, Any]) -> Told:
    told = found["course"]
    parts_s = {name: tuple(values) for name, values in told.pop("parts_s").items()}
    width_s = told.pop("width_s")
    columns = {name: tuple(values) for name, values in told.items()}
    course = TimelineValues(width_s=width_s, parts_s=parts_s, **columns)
    durations = Bars(*(tuple(found["durations"][name]) for name in ("edges_s", "counts")))
    summary = Summary.from_json(found["summary"])
    return Told(summary, found["begun_at"], course, durations)


# -- the charts


def _timeline(db: sqlite3.Connection, run: RunFacts) -> Timeline:
    """The run's course; tickets that nobody took are left out, as nothing happened to them."""
    first_at, last_at = timeline_queries.extent(db)
    begun_at = run.time_zero if run.time_zero is not None else first_at or run.started_at or 0.0
    timeline = Timeline(begun_at, width_s=width_for((last_at or begun_at) - begun_at))
    for job in timeline_queries.jobs(db):
        if job.due_at is not None:
            timeline.at(job.due_at).due += 1
        if job.submitted_at is not None:
            timeline.at(job.submitted_at).submitted += 1
        if job.closed_at is None:
            continue
        interval = timeline.close(
            job.closed_at,
            was_submitted=job.submitted_at is not None,
            is_done=bool(job.is_done),
            duration_s=job.duration_s,
            queue_wait_s=job.queue_wait_s,
            by_part={},
        )
        for name, time_s in zip(STACKED, _stacked(job), strict=True):
            if time_s is not None:
                interval.add_part(name, time_s)
    for children in timeline_queries.children(db):
        timeline.at(children.closed_at).add_parts(parts(children.times_s))
    return timeline


def _stacked(job: ChartedJob) -> tuple[float | None, ...]:
    """The times of an image by STACKED; the last is what is left of the total."""
    _, _, _, _, _, wait_s, total_s, *stages = job
    if total_s is None:
        return wait_s, *stages, None
    known_s = sum([time_s for time_s in stages if time_s is not None])
    return wait_s, *stages, max(0.0, total_s - known_s)
