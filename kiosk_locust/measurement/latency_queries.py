"""Latency percentiles of a run, and whether it was one to have them of; from ``temp.times``."""

from __future__ import annotations

import math
import sqlite3
from array import array
from collections.abc import Iterator
from itertools import groupby, islice
from operator import itemgetter
from typing import Any

from kiosk_locust.measurement.binomial_bound import allowed
from kiosk_locust.measurement.estimates import unmeasured
from kiosk_locust.measurement.latency import Latency, Lives
from kiosk_locust.measurement.percentiles import fewest
from kiosk_locust.measurement.steady_state import Flow, Regime, Stay, flow, judged, unknown
from kiosk_locust.measurement.timing_tables import stage_values
from kiosk_locust.measurement.warmup import mser5
from kiosk_locust.model.job_metrics import STAGE_FIELDS

#: The columns with the time, and with whether the job ended, of the two durations.
COLUMNS = {"duration": ("duration_s", "ended"), "since_due": ("since_due_s", "ended_since_due")}
PERCENTS = (50, 90, 95, 99)
_CHUNK = 1_000
CHOSEN = "kept AND (:cycle IS NULL OR cycle = :cycle)"


def latency(db: sqlite3.Connection, measure: str, cycle: int | None) -> Latency:
    """All jobs' times of one of COLUMNS, those left out that warm-up and cool-down cut."""
    time, ended = COLUMNS[measure]
    rows = db.execute(
        f"""SELECT cycle, CASE WHEN {ended} THEN {time} ELSE 9e999 END,
        CASE WHEN NOT {ended} THEN {time} END FROM temp.times
        WHERE {CHOSEN} AND {ended} IS NOT NULL AND {time} IS NOT NULL ORDER BY cycle, at""",  # noqa: S608  constants
        {"cycle": cycle},
    )
    return Latency([_lives(cycle_rows) for _, cycle_rows in groupby(rows, itemgetter(0))])


def _lives(rows: Iterator[tuple[int, float, float | None]]) -> Lives:
    counted, ages = array("d"), array("d")
    while chunk := list(islice(rows, _CHUNK)):
        _, times, reached = zip(*chunk, strict=True)
        counted.extend(times)
        ages.extend([seconds for seconds in reached if seconds is not None])
    return Lives(counted, ages)


def part(db: sqlite3.Connection, name: str, cycle: int | None) -> Latency:
    """All jobs' times of a stage that the Kiosk measured, or of a part (column ``<name>_s``)."""
    if name in STAGE_FIELDS:
        sql = f"SELECT cycle, value FROM ({stage_values(name)})"  # noqa: S608  a constant
    else:
        sql = f"""SELECT cycle, {name}_s AS value FROM temp.times
            WHERE {CHOSEN} AND value IS NOT NULL ORDER BY cycle, at"""  # noqa: S608  a name of the grammar
    by_cycle: dict[int, array[float]] = {}
    for number, value in db.execute(sql, {"cycle": cycle}):
        by_cycle.setdefault(number, array("d")).append(value)
    return Latency([Lives(times) for times in by_cycle.values()])


def unended(db: sqlite3.Connection, cycle: int | None) -> int:
    """The number of jobs that were submitted and did not end."""
    sql = "SELECT count(*) FROM temp.times WHERE ended = 0 AND (:cycle IS NULL OR cycle = :cycle)"
    count: int = db.execute(sql, {"cycle": cycle}).fetchone()[0]
    return count


def longest_watched_s(db: sqlite3.Connection) -> float | None:
    """The longest time from a submission to the closing of its ticket; None of no jobs."""
    sql = "SELECT max(closed_at - submitted_at) FROM temp.times"
    longest_s: float | None = db.execute(sql).fetchone()[0]
    return longest_s


def as_json(found: Latency, regime: Regime | None) -> dict[str, Any]:
    """Every percentile of PERCENTS with all that is known of it."""
    return {f"p{percent}": _told(found, percent, regime) for percent in PERCENTS}


def _told(found: Latency, percent: float, regime: Regime | None) -> dict[str, Any]:
    censored = found.censored(percent)
    figure = found.figure(percent, regime)
    if found.jobs < fewest(percent):
        few = f"p{percent:g} needs {fewest(percent)} jobs, there are {found.jobs}"
        figure = unmeasured(few)
    interval = None if figure.is_least else figure.interval
    return {
        "value_s": figure.value,
        "is_least": figure.is_least,
        "low_s": interval and _finite(interval.low),
        "high_s": interval and _finite(interval.high),
        "why": figure.why,
        "ended": censored.ended,
        "not_ended": censored.unended,
        "ended_only_s": censored.ended_only_s if censored.ended >= fewest(percent) else None,
        "kaplan_meier_s": censored.kaplan_meier_s if found.jobs >= fewest(percent) else None,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def least_p99_s(
    db: sqlite3.Connection, column: str, cycle: int | None = None, *, source: str = "temp.times"
) -> float | None:
    """The lower bound of a p99 that rules go by, of a column of ``source``; None of too few."""
    chosen = f"FROM {source} WHERE {CHOSEN} AND {column} IS NOT NULL"
    given = {"cycle": cycle}
    (count,) = db.execute(f"SELECT count(*) {chosen}", given).fetchone()
    late = allowed(count)
    if late >= count:
        return None
    sql = f"SELECT {column} {chosen} ORDER BY 1 DESC LIMIT 1 OFFSET {late}"
    value: float = db.execute(sql, given).fetchone()[0]
    return value


# -- batch or steady


def regime(db: sqlite3.Connection, cycle: int | None) -> Regime:
    """What one cycle was, after warm-up, or all of them together."""
    sql = "SELECT DISTINCT cycle FROM temp.times WHERE :cycle IS NULL OR cycle = :cycle ORDER BY 1"
    cycles = db.execute(sql, {"cycle": cycle}).fetchall()
    flows = [found for (number,) in cycles for found in _of_cycle(db, number)]
    return judged(flows, len(cycles)) if flows else unknown(0)


def _of_cycle(db: sqlite3.Connection, cycle: int) -> Iterator[Flow]:
    """The flow of a cycle; where the run was interrupted, one before and one after."""
    (until,) = db.execute(
        "SELECT max(closed_at) FROM temp.times WHERE cycle = ?", (cycle,)
    ).fetchone()
    windows = db.execute(
        """SELECT min(submitted_at), max(submitted_at) FROM temp.times
        JOIN temp.spells ON submitted_at > alive_from AND submitted_at <= alive_until
        WHERE kept AND cycle = ? GROUP BY spells.rowid""",
        (cycle,),
    ).fetchall()
    for start_at, end_at in windows:
        yield _flow(db, cycle, start_at, end_at, until)


def _flow(db: sqlite3.Connection, cycle: int, start_at: float, end_at: float, until: float) -> Flow:
    rows = db.execute(
        """SELECT submitted_at, CASE WHEN ended THEN submitted_at + duration_s END
        FROM temp.times WHERE cycle = ? AND submitted_at IS NOT NULL AND ended IS NOT NULL""",
        (cycle,),
    )
    return flow(map(Stay._make, rows), start_at, end_at, until)


def suggested_warmup(db: sqlite3.Connection, cycle: int | None) -> int | None:
    """The jobs that MSER-5 would leave out of the (first) cycle; None where it cannot tell."""
    sql = """SELECT duration_s FROM temp.times WHERE ended AND duration_s IS NOT NULL
        AND cycle = coalesce(?, (SELECT min(cycle) FROM temp.times)) ORDER BY at"""
    values = array("d", (row[0] for row in db.execute(sql, (cycle,))))
    return mser5(values)
