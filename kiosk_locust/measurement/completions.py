"""Completions of jobs over a run, and the plateau that they show; from ``temp.times``.

The scratch table ``temp.tracks`` has the completions of each cycle in each time in which a process
of the run was alive (``temp.spells``). A handful of passes over the jobs, in constant memory.
"""

# ruff: noqa: S608  the parts of the SQL here are constants of this package, no input

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterable, Mapping, Sequence

from kiosk_locust.measurement import percentiles
from kiosk_locust.measurement.latency_queries import CHOSEN
from kiosk_locust.measurement.plateau import SAMPLES, Plateau, Track, bins, plateau

#: The moment when a job ended, by our clock.
END_AT = "CASE WHEN ended THEN ended_at END"
#: The moment when a job was due; in a closed workload, when a user took it.
START_AT = "coalesce(due_at, (SELECT taken_at FROM tickets WHERE id = ticket_id))"

_GOOD = f"{CHOSEN} AND outcome IN ('done', 'partial') AND images_done > 0"
_MAKESPANS = f"""SELECT cycle, max({END_AT}) - min({START_AT}) FROM temp.times
    WHERE (:cycle IS NULL OR cycle = :cycle) GROUP BY cycle"""
_TRACKS = f"""CREATE TEMP TABLE tracks AS
    SELECT cycle, min(end_at) AS begin, max(end_at) AS until, count(*) AS jobs FROM
    (SELECT cycle, {END_AT} AS end_at FROM temp.times WHERE {_GOOD} AND end_at IS NOT NULL)
    JOIN temp.spells ON end_at > alive_from AND end_at <= alive_until
    GROUP BY cycle, spells.rowid ORDER BY begin"""
_BINS = f"""SELECT track, min(bins - 1, CAST((end_at - begin) / width_s AS INTEGER)) AS place,
    count(*), sum(images_done) FROM
    (SELECT cycle AS of_cycle, {END_AT} AS end_at, images_done FROM temp.times WHERE {_GOOD})
    JOIN temp.tracks ON cycle = of_cycle AND end_at > begin AND end_at <= until
    GROUP BY 1, 2"""
#: The time that a job waited in the queue; a ZIP at least, as polls make certain.
_WAIT_S = """CASE WHEN stage_bounds IS NULL THEN queue_wait_s
    ELSE json_extract(stage_bounds, '$.queue_wait[0]') END"""
#: The times in which jobs waited in the queue: jobs that ended, and jobs never seen in work. Of
#: jobs whose submission nobody saw answered, one knows how long they waited and not when.
_WAITS = f"""SELECT cycle AS of_cycle, submitted_at AS since, submitted_at + {_WAIT_S} AS till
    FROM temp.times WHERE {_WAIT_S} > 0 AND since IS NOT NULL
    AND (:cycle IS NULL OR cycle = :cycle)
    UNION ALL SELECT times.cycle, times.submitted_at, times.submitted_at + times.duration_s
    FROM temp.times JOIN tickets ON id = ticket_id WHERE ended = 0 AND status = 'new'
    AND times.submitted_at + times.duration_s IS NOT NULL
    AND (:cycle IS NULL OR times.cycle = :cycle)"""
_KNOWN_WAITS = f"SELECT count(submitted_at + queue_wait_s), count(*) FROM temp.times WHERE {_GOOD}"
_ANY_ZIP = f"SELECT 1 FROM temp.times WHERE {_GOOD} AND is_zip LIMIT 1"
#: The processing time of a job where no stage of it is known: at most what it did not wait.
_UNQUEUED = f"""SELECT duration_s - coalesce(queue_wait_s, 0) FROM temp.times
    WHERE {_GOOD} AND ended AND duration_s IS NOT NULL"""
#: Where so many queue waits are not known, nobody can tell whether work waited.
_LEAST_KNOWN = 0.95


def find_plateau(db: sqlite3.Connection, cycle: int | None, processing_s: float | None) -> Plateau:
    """The plateau of one cycle, or with None of the cycle that has the longest.

    No stretch reaches over an interruption or into another cycle. ``processing_s`` is the median
    processing time, None where the Kiosk told none.
    """
    given = {"cycle": cycle}
    if processing_s is None:
        processing_s = percentiles.of(db, _UNQUEUED, given).p50
    makespans_s = dict(db.execute(_MAKESPANS, given).fetchall())
    db.execute("DROP TABLE IF EXISTS temp.tracks")
    db.execute(_TRACKS, given)
    _, completed = db.execute(_KNOWN_WAITS, given).fetchone()
    (within,) = db.execute("SELECT coalesce(sum(jobs), 0) FROM temp.tracks").fetchone()
    return plateau(_tracks(db, given, makespans_s, processing_s), left_out=completed - within)


def _tracks(
    db: sqlite3.Connection,
    given: Mapping[str, object],
    makespans_s: Mapping[int, float | None],
    processing_s: float | None,
) -> list[Track]:
    for column in ("track INTEGER", "bins INTEGER", "width_s REAL"):
        db.execute(f"ALTER TABLE temp.tracks ADD COLUMN {column}")
    rows = db.execute("SELECT rowid, cycle, begin, until, jobs FROM temp.tracks").fetchall()
    kept = []
    for number, of_cycle, begin, until, jobs in rows:
        count = bins(jobs)
        width_s = (until - begin) / count
        if width_s > 0:
            kept.append((number, of_cycle, begin, count, width_s))
    db.executemany(
        "UPDATE temp.tracks SET track = ?1, bins = ?4, width_s = ?5 WHERE rowid = ?1", kept
    )
    db.execute("DELETE FROM temp.tracks WHERE track IS NULL")
    jobs_by, images_by = _counts(db, given, {row[0]: row[3] for row in kept})
    waiting_by = _waiting(db, given, kept)
    sees_all = db.execute(_ANY_ZIP, given).fetchone() is None
    return [
        Track(
            begin,
            width_s,
            jobs_by[number],
            images_by[number],
            makespans_s[of_cycle] or 0.0,
            processing_s,
            waiting_by.get(number, ()),
            sees_all,
        )
        for number, of_cycle, begin, _, width_s in kept
    ]


def _counts(
    db: sqlite3.Connection, given: Mapping[str, object], sizes: Mapping[int, int]
) -> tuple[dict[int, list[int]], dict[int, list[float]]]:
    """Jobs and good images completed in each bin, by track."""
    jobs = {track: [0] * size for track, size in sizes.items()}
    images = {track: [0.0] * size for track, size in sizes.items()}
    for track, place, count, done in db.execute(_BINS, given):
        jobs[track][place] = count
        images[track][place] = float(done)
    return jobs, images


def _waiting(
    db: sqlite3.Connection,
    given: Mapping[str, object],
    tracks: Iterable[tuple[int, int, float, int, float]],
) -> dict[int, Sequence[int]]:
    """How many jobs waited in the queue at SAMPLES moments in each bin; none where not known."""
    known, completed = db.execute(_KNOWN_WAITS, given).fetchone()
    if known < _LEAST_KNOWN * completed:
        return {}
    steps = {track: [0] * (count * SAMPLES + 1) for track, _, _, count, _ in tracks}
    for moment, sign in (("since", 1), ("till", -1)):
        for track, place, number in db.execute(_step_of(moment), given):
            steps[track][place] += sign * number
    return {track: list(itertools.accumulate(found))[:-1] for track, found in steps.items()}


def _step_of(moment: str) -> str:
    """The SQL that counts by track and step in which one ``moment`` lies; sampled at its end."""
    step = f"max(0.0, min(bins * {SAMPLES}, ({moment} - begin) * {SAMPLES} / width_s))"
    return f"""SELECT track, CAST({step} AS INTEGER), count(*) FROM ({_WAITS})
        JOIN temp.tracks ON cycle = of_cycle GROUP BY 1, 2"""
