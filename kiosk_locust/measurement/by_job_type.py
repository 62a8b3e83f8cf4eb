"""Counts, rates and durations of each job type of a run, from the ledger and ``temp.times``."""

from __future__ import annotations

import sqlite3
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from kiosk_locust.measurement import censoring
from kiosk_locust.measurement.latency_queries import COLUMNS
from kiosk_locust.measurement.percentiles import SHARES, Percentiles, fewest, of_values
from kiosk_locust.model.record import Outcome

#: The key of tickets of which the ledger does not say what was asked for; most never became a job.
UNKNOWN = ""
#: So many types are told apart, those of the most tickets; the others' tickets count as UNKNOWN.
#: A Kiosk has about ten; a ledger that somebody else wrote must not make a page without end.
MOST_TYPES = 50

_TYPE = f"""coalesce(CASE WHEN json_valid(requests.body)
    THEN CAST(json_extract(requests.body, '$.job_type') AS TEXT) END, '{UNKNOWN}')"""
_FROM = """FROM temp.times JOIN tickets ON tickets.id = times.ticket_id
    LEFT JOIN requests ON requests.id = tickets.request_id
    WHERE (:cycle IS NULL OR tickets.cycle = :cycle)"""
_COUNTS = f"""SELECT {_TYPE}, tickets.outcome, count(*), count(tickets.job_id),
    coalesce(sum(tickets.images_done), 0), coalesce(sum(tickets.images_failed), 0),
    coalesce(sum(times.kept), 0), coalesce(sum(times.images_done) FILTER (WHERE times.kept), 0),
    coalesce(sum(times.ended), 0)
    {_FROM} GROUP BY 1, 2 ORDER BY 1"""
#: Of each duration, its seconds and whether the job ended; those with neither are no jobs.
_LIVES = f"""SELECT {_TYPE}, {
    ", ".join(f"times.{column}" for pair in COLUMNS.values() for column in pair)
}
    {_FROM} AND times.kept"""


class _Lives:
    """One duration of a type's jobs: of those that ended, and the ages of the others; seconds."""

    def __init__(self) -> None:
        self.ended = array("d")
        self.ages = array("d")


@dataclass(slots=True)
class OfType:
    """One job type; counts of tickets, jobs and images, rates a second, percentiles in seconds.

    Rates are over the span of the whole run, so that those of all types add up to the run's.
    """

    tickets: int
    outcomes: dict[str, int]  # every outcome, those of no ticket as 0
    ended: int  # a poll saw their end
    not_ended: int
    submitted: int
    images_done: int
    images_failed: int
    jobs_per_s: float | None  # done and partial ones
    images_per_s: float | None  # done ones
    percentiles_s: dict[str, Percentiles]  # of both durations, over jobs that ended
    latency: dict[str, dict[str, Any]]  # the same with jobs that did not end, as infinite


def by_job_type(
    db: sqlite3.Connection, cycle: int | None, span_s: float | None
) -> dict[str, dict[str, Any]]:
    """Every job type of a cycle, or with None of the run, by its name, as JSON has it.

    ``span_s`` is the time that rates are over. `times.gather` has been called with the same
    connection. Memory: both durations of all jobs, 16 MB for a million.
    """
    rows = db.execute(_COUNTS, {"cycle": cycle}).fetchall()
    names = _most_frequent(rows)
    lives = _lives(db, cycle, names)
    found: dict[str, OfType] = {}
    useful: dict[str, tuple[int, int]] = {}
    for job_type, outcome, tickets, jobs, done, failed, kept, kept_images, ended in rows:
        name = names.get(job_type, UNKNOWN)
        of_type = found.setdefault(name, _of_no_job())
        of_type.tickets += tickets
        if outcome in of_type.outcomes:
            of_type.outcomes[outcome] += tickets
        of_type.submitted += jobs
        of_type.ended += ended
        of_type.images_done += done
        of_type.images_failed += failed
        before = useful.get(name, (0, 0))
        is_useful = outcome in (Outcome.DONE, Outcome.PARTIAL)
        useful[name] = (before[0] + kept * is_useful, before[1] + kept_images)
    for name, of_type in found.items():
        of_type.not_ended = of_type.tickets - of_type.ended
        of_type.jobs_per_s, of_type.images_per_s = (
            number / span_s if span_s else None for number in useful[name]
        )
        for measure in COLUMNS:
            life = lives.get((name, measure), _Lives())
            of_type.percentiles_s[measure] = of_values(life.ended)
            of_type.latency[measure] = _latency(life)
    return {name: asdict(of_type) for name, of_type in found.items()}


def several(by_type: Mapping[str, Any]) -> bool:
    """Whether there is more than one job type to be told apart."""
    return len(by_type.keys() - {UNKNOWN}) > 1


def _of_no_job() -> OfType:
    outcomes = {outcome.value: 0 for outcome in Outcome}
    return OfType(0, outcomes, 0, 0, 0, 0, 0, None, None, {}, {})


def _most_frequent(rows: Sequence[tuple[Any, ...]]) -> dict[str, str]:
    """The types that are told apart, each by itself."""
    tickets: Counter[str] = Counter()
    for job_type, _, number, *_ in rows:
        tickets[job_type] += number
    return {name: name for name, _ in tickets.most_common(MOST_TYPES)}


def _lives(
    db: sqlite3.Connection, cycle: int | None, names: Mapping[str, str]
) -> dict[tuple[str, str], _Lives]:
    """By job type and measure."""
    found: dict[tuple[str, str], _Lives] = {}
    for job_type, *pairs in db.execute(_LIVES, {"cycle": cycle}):
        name = names.get(job_type, UNKNOWN)
        for place, measure in enumerate(COLUMNS):
            seconds, ended = pairs[2 * place : 2 * place + 2]
            if seconds is None or ended is None:
                continue
            life = found.get((name, measure))
            if life is None:
                life = found[name, measure] = _Lives()
            (life.ended if ended else life.ages).append(seconds)
    return found


def _latency(life: _Lives) -> dict[str, Any]:
    """By percentile, its value, and whether that is the least that it can be."""
    jobs = len(life.ended) + len(life.ages)
    found: dict[str, Any] = {}
    for percent in SHARES:
        value_s, is_least = None, False
        if jobs >= fewest(percent):
            figure = censoring.percentile(life.ended, life.ages, percent).figure()
            value_s, is_least = figure.value, figure.is_least
        found[f"p{percent}"] = {"value_s": value_s, "is_least": is_least}
    return found
