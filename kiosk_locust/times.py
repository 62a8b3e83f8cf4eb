"""Where the time of each job went, by our clock as far as it can be known; from the ledger.

One pass through the ledger puts it all into scratch tables of the connection, ``temp.times``
with a row a ticket and ``temp.stages`` with what the Kiosk measured of ZIPs' children, which
summaries, results and verdicts are then made from. Memory is constant.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

from kiosk_locust.measures import STAGE_FIELDS, is_zip, stage_times
from kiosk_locust.moved import BEGUN_AT
from kiosk_locust.offsets import Clocks, clocks
from kiosk_locust.quality import warmup
from kiosk_locust.quality.clocks import FRONTEND, FRONTEND_RESOLUTION_S, Bound
from kiosk_locust.quality.correction import Corrected, correct
from kiosk_locust.quality.stages import Parts, ours, parts
from kiosk_locust.quality.warmup import Kept, Trim
from kiosk_locust.reading import Facts
from kiosk_locust.snapshot import Snapshot, parse_time

_CHUNK = 500
#: When a ticket counts as due for a warm-up or a cool-down, and in order.
_DUE = "coalesce(due_at, submitted_at)"


class _Read(NamedTuple):
    """What is read of a ticket, and of its attempt that was accepted."""

    id: int
    cycle: int
    at: float | None
    due_at: float | None
    taken_at: float | None
    submitted_at: float | None
    outcome: str | None
    observed_after: float | None
    observed_at: float | None
    closed_at: float | None
    duration_s: float | None
    duration_from: str | None
    queue_wait_s: float | None
    fields: str | None
    job_id: str | None
    file: str
    ambiguous: int
    images_done: int | None
    asked_at: float
    sent_at: float | None
    received_at: float | None
    begun_at: float | None


_ROWS = f"""SELECT id, cycle, {_DUE}, due_at, taken_at, submitted_at, outcome,
    observed_after, observed_at, closed_at, duration_s, duration_from, queue_wait_s, fields,
    tickets.job_id, file, ambiguous, images_done, asked_at, sent_at, received_at, {BEGUN_AT}
    FROM tickets LEFT JOIN attempts ON ticket_id = id AND attempts.number = (SELECT max(number)
    FROM attempts WHERE ticket_id = id AND result = 'accepted') ORDER BY id"""  # noqa: S608  constants of this package
_ENDED = ("done", "partial", "failed")


class Row(NamedTuple):
    """One ticket in ``temp.times``: seconds, epoch seconds, None where not known.

    ``ended``: 1 of a job that ended, 0 of one that did not and whose ``age_s`` is what it is
    known to have lasted at least, None of a ticket that never became a job. The same for
    ``ended_since_due``, which counts tickets that came due and were never submitted, too.
    """

    ticket_id: int
    cycle: int
    at: float | None
    kept: bool
    due_at: float | None
    submitted_at: float | None
    closed_at: float | None
    outcome: str | None
    images_done: int
    waited: bool | None  # for a user, after it was due
    is_zip: bool
    ended: bool | None
    duration_s: float | None  # of one that did not end: what it lasted at least
    duration_from: str | None
    duration_error_s: float | None
    is_corrected: bool
    flaw: str
    ended_since_due: bool | None
    since_due_s: float | None
    submission_lag_s: float | None
    lag_s: float | None
    socket_wait_s: float | None
    submission_http_s: float | None
    creation_s: float | None
    queue_wait_s: float | None
    processing_s: float | None
    detection_s: float | None
    detection_bound_s: float | None
    unknown_s: float | None
    unknown_share: float | None
    adds_up: bool | None


@dataclass(frozen=True, slots=True)
class Times:
    """What the pass found beside its tables: the clocks, and what is kept of each cycle."""

    clocks: Clocks
    kept: Mapping[int, Kept]
    warmup: str  # as it was given; empty: none
    cooldown: str


def gather(db: sqlite3.Connection, run: Facts) -> Times:
    """Make the tables, of all cycles; a minute for a million jobs."""
    given = _trimmed(run)
    found = Times(clocks(db, _skew_s(run)), _kept(db, *map(warmup.parse, given)), *given)
    stages = [stage_column(stage) for stage in STAGE_FIELDS]
    columns = ", ".join([*Row._fields[1:], *stages])
    db.execute("DROP TABLE IF EXISTS temp.times")
    db.execute("DROP TABLE IF EXISTS temp.stages")
    db.execute(f"CREATE TEMP TABLE times (ticket_id INTEGER PRIMARY KEY, {columns})")
    db.execute("CREATE TEMP TABLE stages (stage, cycle, kept, value)")
    marks = ", ".join("?" * (len(Row._fields) + len(stages)))
    rows = map(_Read._make, db.execute(_ROWS))
    while chunk := [_Job(row, found) for row in islice(rows, _CHUNK)]:
        values = (job.row() + job.stages() for job in chunk)
        db.executemany(f"INSERT INTO temp.times VALUES ({marks})", values)  # noqa: S608  only question marks
        children = (stage for job in chunk for stage in job.children())
        db.executemany("INSERT INTO temp.stages VALUES (?, ?, ?, ?)", children)
    return found


def cuts(db: sqlite3.Connection, run: Facts) -> list[tuple[str, float, float]]:
    """What warm-up and cool-down leave out of each cycle: which, from and to, in epoch seconds."""
    warm, cool = map(warmup.parse, _trimmed(run))
    found = []
    for due in _due(db, warm, cool).values():
        kept = warmup.kept(due, warm, cool)
        if kept.start_at is not None:
            found.append(("warm-up", due[0], min(kept.start_at, due[-1])))
        if kept.end_at is not None:
            found.append(("cool-down", max(kept.end_at, due[0]), due[-1]))
    return found


def _kept(db: sqlite3.Connection, warm: Trim, cool: Trim) -> dict[int, Kept]:
    """What warm-up and cool-down leave of each cycle; none of those that lose nothing."""
    due = _due(db, warm, cool)
    return {cycle: warmup.kept(moments, warm, cool) for cycle, moments in due.items()}


def _trimmed(run: Facts) -> tuple[str, str]:
    """Warm-up and cool-down as they were given."""
    trim = run.options.get("trim") or {}
    return trim.get("warmup", ""), trim.get("cooldown", "")


def _due(db: sqlite3.Connection, warm: Trim, cool: Trim) -> dict[int, list[float]]:
    """By cycle, when its jobs were due, in order; nothing is read where nothing is cut."""
    if warm == cool == Trim():
        return {}
    due: dict[int, list[float]] = {}
    sql = f"SELECT cycle, {_DUE} AS at FROM tickets WHERE at IS NOT NULL ORDER BY at"  # noqa: S608
    for cycle, at in db.execute(sql):
        due.setdefault(cycle, []).append(at)
    return due


def stage_column(stage: str) -> str:
    """The column of ``temp.times`` with what the Kiosk itself measured of an image."""
    return f"stage_{stage}"


def stage_values(stage: str, chosen: str) -> str:
    """The SQL of all values of a stage, images' and children's, of rows that are ``chosen``."""
    column = stage_column(stage)
    return f"""SELECT {column} AS value, cycle FROM temp.times
        WHERE {chosen} AND {column} IS NOT NULL UNION ALL
        SELECT value, cycle FROM temp.stages WHERE stage = '{stage}' AND {chosen}"""  # noqa: S608  names of this package


class _Job:
    """One row of the ledger on its way into the tables."""

    def __init__(self, row: _Read, times: Times) -> None:
        self._row = row
        self._clocks = times.clocks
        self._fields: dict[str, str] = json.loads(row.fields or "{}")
        self._is_zip = is_zip(row.file, row.job_id or "")
        self._has_ended = row.outcome in _ENDED
        kept = times.kept.get(row.cycle)
        at = row.at
        self._is_kept = kept is None or (at is not None and kept.has(at))
        self._created: float | None = None  # its stamps, and the offsets of their clocks
        self._ended: float | None = None
        self._frontend: Bound | None = None
        self._consumer: Bound | None = None
        self._stages: Mapping[str, tuple[float, ...]] = {}
        if self._has_ended and self._fields:
            self._stages = stage_times(Snapshot(self._fields), zipped=self._is_zip)

    def stages(self) -> tuple[float | None, ...]:
        """What the Kiosk itself measured of an image, in the order of STAGE_FIELDS."""
        if self._is_zip or not self._stages:
            return (None,) * len(STAGE_FIELDS)
        return tuple([times[0] if times else None for times in self._stages.values()])

    def children(self) -> Iterator[tuple[str, int, bool, float]]:
        """The same of a ZIP: a number a child."""
        if self._is_zip:
            for stage, times in self._stages.items():
                for value in times:
                    yield stage, self._row.cycle, self._is_kept, value

    def row(self) -> tuple[Any, ...]:
        """The values of a Row."""
        row = self._row
        late_s = _span(row.due_at, row.taken_at)
        head = (
            row.id, row.cycle, row.at, self._is_kept, row.due_at, row.submitted_at,
            row.closed_at, row.outcome, row.images_done or 0,
            None if late_s is None else late_s > 0, self._is_zip,
        )  # fmt: skip
        due, observed = _span(row.due_at, row.begun_at), row.observed_at
        since_due = self._since_due()
        if not self._has_ended:
            lived = self._age()
            waits = (
                _span(row.asked_at, row.sent_at),
                _span(row.sent_at, row.received_at),
            )
            return (
                *head, *lived, None, None, False, "", *since_due, due, None, *waits,
                *(None,) * 8,
            )  # fmt: skip
        fixed, stamped_by = self._duration()
        duration_s, source, queue_s = row.duration_s, row.duration_from, row.queue_wait_s
        is_corrected, error_s = False, None
        if fixed is not None and fixed.is_corrected and self._frontend and self._consumer:
            duration_s, source, is_corrected = fixed.duration_s, stamped_by, True
            queue_s = self._queue(duration_s)
        elif fixed is not None and (fixed.is_corrected or fixed.duration_s is None):
            # Its stamps cannot be true, and nothing tells by how much they are off.
            duration_s, source, queue_s = _span(row.submitted_at, observed), "observed", None
        if source == "observed":
            error_s = _span(row.observed_after, observed)
        elif fixed is not None and fixed.error_s < math.inf:
            error_s = fixed.error_s
        found = self._parts(queue_s)
        return (
            *head, True, duration_s, source, error_s,
            is_corrected, fixed.flaw if fixed else "",
            *since_due, due, *_told(found, queue_s),
            _span(row.observed_after, observed), *_unknown(found),
        )  # fmt: skip

    def _age(self) -> tuple[bool | None, float | None]:
        """Of a job that did not end: that, and what it lasted at least."""
        row = self._row
        if row.submitted_at is None or row.outcome in (None, "rejected"):
            return None, None
        return False, max(0.0, (row.observed_after or row.submitted_at) - row.submitted_at)

    def _since_due(self) -> tuple[bool | None, float | None]:
        """Whether it ended, and how long after it was due, or at least how long."""
        row = self._row
        start = row.due_at if row.due_at is not None else row.taken_at
        if self._has_ended:
            return True, _span(start, row.observed_at)
        until = row.observed_after if row.submitted_at is not None else row.closed_at
        if row.outcome in (None, "rejected") or start is None or (until or 0.0) < start:
            return None, None  # the run was over before it came due
        return False, (until or 0.0) - start

    def _duration(self) -> tuple[Corrected | None, str | None]:
        """The duration by the server's stamps, set right; None where it has none."""
        row = self._row
        created, ended, source = _stamps(self._fields)
        self._created, self._ended = created, ended
        if created is None or ended is None:
            return None, row.duration_from
        self._frontend = _frontend(row, created, self._clocks)
        by = self._fields.get("updated_by", "")
        self._consumer = self._clocks.bound(by, row.observed_at or ended)
        return correct(
            created,
            ended,
            frontend=self._frontend,
            consumer=self._consumer,
            watched_s=_span(row.submitted_at, row.observed_at),
        ), source

    def _queue(self, duration_s: float | None) -> float | None:
        """The queue wait of an image, by its corrected duration; a ZIP's children overlap."""
        totals = self._stages.get("total", ())
        if self._is_zip or not totals or duration_s is None:
            return None
        return max(0.0, duration_s - totals[0])

    def _parts(self, queue_s: float | None) -> Parts | None:
        row = self._row
        if row.observed_at is None or row.sent_at is None:
            return None
        start_at = row.taken_at if row.due_at is None else row.due_at
        if start_at is None:
            return None
        totals = () if self._is_zip else self._stages.get("total", ())
        return parts(
            "taken" if row.due_at is None else "due",
            start_at=start_at,
            asked_at=row.asked_at,
            sent_at=row.sent_at,
            received_at=row.received_at,
            created_at=ours(self._created, self._frontend, row.sent_at, row.received_at),
            queue_s=queue_s,
            processing_s=totals[0] if totals and queue_s is not None else None,
            ended_at=ours(self._ended, self._consumer, row.observed_after, row.observed_at),
            observed_at=row.observed_at,
        )


def _stamps(fields: Mapping[str, str]) -> tuple[float | None, float | None, str]:
    """When it was created and when it ended, by the Kiosk's clocks, and who says the latter."""
    created = parse_time(fields.get("created_at", ""))
    for source in ("finished_at", "updated_at"):
        ended = parse_time(fields.get(source, ""))
        if ended is not None:
            return created, ended, source
    return created, None, "observed"


def _frontend(row: _Read, created: float, known: Clocks) -> Bound | None:
    """The frontend's offset; where its samples contradict one another, by this job's alone."""
    found = known.bound(FRONTEND, row.submitted_at or created)
    if found is not None or row.sent_at is None or row.received_at is None or row.ambiguous:
        return found
    latest = created + FRONTEND_RESOLUTION_S
    return Bound(created - row.received_at, latest - row.sent_at)


def _span(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else end - start


def _told(found: Parts | None, queue_s: float | None) -> tuple[float | None, ...]:
    if found is None:
        return None, None, None, None, queue_s, None, None
    return (
        found.lag_s, found.socket_wait_s, found.submission_http_s, found.creation_s,
        found.queue_wait_s, found.processing_s, found.detection_s,
    )  # fmt: skip


def _skew_s(run: Facts) -> float:
    """Within what the times of the run's workers are the master's."""
    return max((skew.get("skew_bound_s", 0.0) for skew in run.workers.values()), default=0.0)


def _unknown(found: Parts | None) -> tuple[float | bool | None, ...]:
    if found is None:
        return None, None, None
    return found.unknown_s, found.unknown_share, found.adds_up
