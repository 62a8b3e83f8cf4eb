"""Where the time of each job went, by our clock as far as it can be known; from the ledger.

One pass through the ledger puts it all into scratch tables of the connection, ``temp.times``
with a row a ticket and ``temp.stages`` with what the Kiosk measured of ZIPs' children, which
summaries, results and verdicts are then made from. Memory is constant.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

from kiosk_locust.ledger.reader import RunFacts
from kiosk_locust.measurement import warmup
from kiosk_locust.measurement.clock_offsets import Clocks, clocks
from kiosk_locust.measurement.job_timings import work_out
from kiosk_locust.measurement.timing_rows import COLUMNS, ClosedJob
from kiosk_locust.measurement.transfer_stats import BEGUN_AT
from kiosk_locust.measurement.warmup import Kept, Trim
from kiosk_locust.model.interruptions import IDLE, RANKS
from kiosk_locust.model.job_hash import FINAL_STATUSES
from kiosk_locust.model.job_metrics import STAGE_FIELDS
from kiosk_locust.model.record import StatusChange

_CHUNK = 500
#: When a ticket counts as due for a warm-up or a cool-down, and in order.
_DUE = "coalesce(due_at, submitted_at)"
#: A consumer works on a job of such a status.
_IS_WORK = f"changes.status NOT IN ({', '.join(map(repr, sorted(IDLE | FINAL_STATUSES)))})"
_RANK = " ".join(f"WHEN '{name}' THEN {place}" for name, place in RANKS.items())
_RANK = f"CASE status {_RANK} END"
#: Tickets whose consumer changed, or whose status went back: candidates for `takeovers`.
_SUSPECTS = f"""CREATE TEMP TABLE suspects AS SELECT DISTINCT ticket_id FROM (
    SELECT ticket_id, updated_by, {_RANK} AS rank, status = 'new' AS is_new,
    lag(updated_by) OVER earlier AS by_before, lag({_RANK}) OVER earlier AS rank_before,
    lag(status) OVER earlier AS before
    FROM changes WINDOW earlier AS (PARTITION BY ticket_id ORDER BY observed_at))
    WHERE updated_by <> by_before OR rank <= rank_before OR (is_new AND before IS NOT NULL)"""  # noqa: S608  constants
_CHANGES = """SELECT status, observed_at, after, updated_at, coalesce(updated_by, ''),
    coalesce(phase, '') FROM changes WHERE ticket_id = ? ORDER BY observed_at"""
_ROWS = f"""SELECT id, cycle, {_DUE}, due_at, taken_at, submitted_at, outcome,
    observed_after, observed_at, closed_at, duration_s, duration_from, fields,
    tickets.job_id, file, ambiguous, images_done, asked_at, sent_at, received_at, {BEGUN_AT},
    (SELECT observed_at FROM changes WHERE ticket_id = id AND {_IS_WORK}
    ORDER BY observed_at LIMIT 1),
    (SELECT updated_by FROM changes WHERE ticket_id = id AND {_IS_WORK}
    ORDER BY observed_at DESC LIMIT 1), id IN (SELECT ticket_id FROM temp.suspects)
    FROM tickets LEFT JOIN attempts ON ticket_id = id AND attempts.number = (SELECT max(number)
    FROM attempts WHERE ticket_id = id AND result = 'accepted') ORDER BY id"""  # noqa: S608  constants of this package


@dataclass(frozen=True, slots=True)
class Times:
    """What the pass found beside its tables: the clocks, and what is kept of each cycle."""

    clocks: Clocks
    kept: Mapping[int, Kept]
    warmup: str  # as it was given; empty: none
    cooldown: str


def gather(db: sqlite3.Connection, run: RunFacts) -> Times:
    """Make the tables, of all cycles; a minute for a million jobs."""
    given = _trimmed(run)
    found = Times(clocks(db, _skew_s(run)), _kept(db, *map(warmup.parse, given)), *given)
    stages = [stage_column(stage) for stage in STAGE_FIELDS]
    columns = ", ".join([*COLUMNS[1:], *stages])
    db.execute("DROP TABLE IF EXISTS temp.times")
    db.execute("DROP TABLE IF EXISTS temp.stages")
    db.execute("DROP TABLE IF EXISTS temp.suspects")
    db.execute(_SUSPECTS)
    db.execute(f"CREATE TEMP TABLE times (ticket_id INTEGER PRIMARY KEY, {columns})")
    db.execute("CREATE TEMP TABLE stages (ticket_id, stage, cycle, kept, value)")
    marks = ", ".join("?" * (len(COLUMNS) + len(stages)))
    kept = found.kept.get

    def changes(ticket_id: int) -> list[StatusChange]:
        return [StatusChange(*row) for row in db.execute(_CHANGES, (ticket_id,))]

    rows = map(ClosedJob._make, db.execute(_ROWS))
    while chunk := [
        work_out(row, found.clocks, kept(row.cycle), changes) for row in islice(rows, _CHUNK)
    ]:
        values = (job.row + job.stages for job in chunk)
        db.executemany(f"INSERT INTO temp.times VALUES ({marks})", values)  # noqa: S608  only question marks
        children = [child for job in chunk if job.children for child in job.child_rows()]
        db.executemany("INSERT INTO temp.stages VALUES (?, ?, ?, ?, ?)", children)
    return found


def ends(db: sqlite3.Connection, times: Times) -> dict[int | None, float]:  # noqa: ARG001  made
    """When the last job of each cycle ended by our clock, and under None that of the run.

    Left out are cycles with jobs that did not end, and then the run. ``times`` shows that
    `gather` was called with this connection.
    """
    rows = db.execute("""SELECT cycle, max(ended_at), coalesce(sum(ended = 0), 0) FROM temp.times
        GROUP BY cycle""").fetchall()
    found: dict[int | None, float] = {
        cycle: at for cycle, at, unended in rows if at is not None and not unended
    }
    if rows and not any(unended for _, _, unended in rows) and found:
        found[None] = max(found.values())
    return found


def cuts(db: sqlite3.Connection, run: RunFacts) -> list[tuple[str, float, float]]:
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


def _trimmed(run: RunFacts) -> tuple[str, str]:
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


def children_of(stage: str) -> str:
    """The SQL of what the Kiosk measured of a stage of ZIPs' children that are kept."""
    return f"""SELECT value, cycle FROM temp.stages
        WHERE stage = '{stage}' AND kept AND (:cycle IS NULL OR cycle = :cycle)"""  # noqa: S608  names of this package


def stage_values(stage: str) -> str:
    """The SQL of all values of a stage that are kept, images' and children's."""
    column = stage_column(stage)
    return f"""SELECT {column} AS value, cycle FROM temp.times
        WHERE {column} IS NOT NULL AND kept AND (:cycle IS NULL OR cycle = :cycle)
        UNION ALL {children_of(stage)}"""  # noqa: S608  names of this package


def _skew_s(run: RunFacts) -> float:
    """Within what the times of the run's workers are the master's."""
    return max((skew.get("skew_bound_s", 0.0) for skew in run.workers.values()), default=0.0)
