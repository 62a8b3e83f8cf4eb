"""What a run, or one of its cycles, came to: counts, rates and percentiles, from the ledger."""

# ruff: noqa: S608  the parts of the SQL here are constants of this package, no input

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kiosk_locust.cost.serialisation import RunCost
from kiosk_locust.formatting.json_text import loads
from kiosk_locust.ledger.reader import RunFacts, facts, opened
from kiosk_locust.ledger.sessions import Gap, gaps, interrupted, mark_spells, spans
from kiosk_locust.ledger.sql import WAS_SENT
from kiosk_locust.measurement import by_job_type as by_type
from kiosk_locust.measurement import latency_queries, percentiles, transfer_stats
from kiosk_locust.measurement.completions import END_AT, START_AT, find_plateau
from kiosk_locust.measurement.headline import headline, pause_lines
from kiosk_locust.measurement.percentiles import Percentiles
from kiosk_locust.measurement.plateau import Plateau
from kiosk_locust.measurement.poll_resolution import Polling, polling
from kiosk_locust.measurement.steady_state import Regime
from kiosk_locust.measurement.timing_tables import Times, children_of, gather, stage_column
from kiosk_locust.measurement.transfer_stats import Moved
from kiosk_locust.model.image_failures import (
    MOST_KEPT,
    NO_REASON,
    NOT_KEPT,
    FailedImage,
    Group,
    grouped,
    last_line,
    of_fields,
)
from kiosk_locust.model.job_metrics import STAGE_FIELDS
from kiosk_locust.model.record import Outcome

_CHOSEN = "(:cycle IS NULL OR cycle = :cycle)"
#: Where each of the measures is read, in seconds.
_COLUMNS = {
    "duration": "CASE WHEN ended THEN duration_s END",
    "since_due": "CASE WHEN ended_since_due THEN since_due_s END",
    **{
        name: f"{name}_s"
        for name in (
            *("submission_lag", "lag", "socket_wait", "submission_http", "creation"),
            *("queue_wait", "interrupted", "processing", "detection", "detection_bound"),
            *("unknown", "duration_error", "since_due_error"),
            *("unpacking", "children", "packing", "zip_error"),
        )
    },
    **{stage: stage_column(stage) for stage in STAGE_FIELDS},
}
_COUNTS = f"""SELECT count(*), count(job_id), sum(ambiguous <> 0), sum(polls),
    sum(images_done), sum(images_failed), sum(coalesce(expire_error, '') <> '')
    FROM tickets WHERE {_CHOSEN}"""
_SPAN = f"""SELECT min({START_AT}), max({END_AT}),
    sum(outcome IN ('done', 'partial')), sum(images_done), sum(waited), min(submitted_at),
    sum(is_corrected), sum(flaw <> ''), sum(NOT adds_up),
    avg(unknown_share) FILTER (WHERE NOT is_zip), avg(unknown_share) FILTER (WHERE is_zip)
    FROM temp.times WHERE """
#: ZIPs of which polls do not tell when they left their queue.
_UNSPLIT = f"""SELECT count(*) FROM temp.times
    WHERE {latency_queries.CHOSEN} AND is_zip
    AND stage_bounds IS NOT NULL AND queue_wait_s IS NULL"""
_ZIP_DURATIONS = f"""SELECT duration_s FROM temp.times
    WHERE {latency_queries.CHOSEN} AND is_zip AND ended"""
#: What was done while a process of the run was alive.
_ALIVE = f"""SELECT sum(outcome IN ('done', 'partial')), sum(images_done) FROM temp.times
    JOIN temp.spells ON {END_AT} > alive_from AND {END_AT} <= alive_until WHERE """
#: Tickets that were closed before anything of theirs was sent.
_NEVER_BEGUN = f"""SELECT count(*) FROM tickets WHERE outcome = 'unfinished' AND job_id IS NULL
    AND {_CHOSEN} AND NOT {WAS_SENT}"""
_FAILED = f"""SELECT file, images_failed, reason,
    CASE WHEN instr(fields, '"failures"') THEN fields END
    FROM tickets WHERE images_failed > 0 AND {_CHOSEN} ORDER BY id"""
_COLD = f"""SELECT duration_s, queue_wait_s FROM temp.times
    WHERE {_CHOSEN} AND submitted_at IS NOT NULL ORDER BY submitted_at LIMIT 1"""


@dataclass(frozen=True, slots=True)
class Trimmed:
    """What warm-up and cool-down left out; ``suggested_jobs`` is what MSER-5 would."""

    warmup: str
    cooldown: str
    jobs: int
    suggested_jobs: int | None


@dataclass(frozen=True, slots=True)
class ColdStart:
    """The first job of all, before any cut, and the first GPU node, where the cost tells."""

    duration_s: float | None
    queue_wait_s: float | None
    first_gpu_node_s: float | None


@dataclass(frozen=True, slots=True)
class Soundness:
    """How far the times of jobs can be relied on; counts are of jobs, shares from 0 to 1."""

    corrected: int  # durations set right, since they mix clocks that differ
    flawed: int  # the Kiosk's own stamps contradict what was watched
    do_not_add_up: int  # all parts are known, and come to something else than the whole
    unknown_share_images: float | None  # the mean share of the whole that is not known
    unknown_share_zips: float | None


@dataclass(frozen=True, slots=True)
class Pauses:
    """Times in which no process of the run was alive, and the figures without them.

    ``seconds`` is how much of the makespan they are. The rates count what was done while a
    process was alive, over that time. ``text`` is a clause on all of them, ``lines`` has one
    for each, or of many one for all.
    """

    count: int
    seconds: float
    makespan_s: float | None
    jobs_per_s: float | None
    images_per_s: float | None
    text: str
    lines: Sequence[str]


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts, rates a second and percentiles in seconds; times are epoch seconds.

    What could not be measured is None, as is a rate of one job or one image. ``makespan_s`` goes
    from the first due time (in a closed workload, when the first job was taken) to the end of
    the job that ended last; rates are over it. ``never_begun`` of the tickets are closed as
    unfinished, and nothing of theirs was sent.
    """

    workload: str
    tickets: int
    outcomes: Mapping[str, int]  # every outcome, those of no ticket as 0
    ended: int  # a poll saw their end: percentiles are over these
    not_ended: int
    never_begun: int
    submitted: int
    attempts: int  # requests to submit a job, lost and refused ones too
    ambiguous: int
    polls: int
    expire_errors: int
    images_done: int
    images_failed: int
    first_due_at: float | None
    first_submitted_at: float | None
    last_ended_at: float | None
    makespan_s: float | None
    jobs_per_s: float | None  # done and partial ones
    images_per_s: float | None  # done ones
    plateau_jobs_per_s: float | None  # the rates of ``plateau``
    plateau_images_per_s: float | None
    plateau: Plateau
    pauses: Pauses
    regime: Regime
    headline: str  # what the run comes to, by its regime
    trimmed: Trimmed
    cold_start: ColdStart
    soundness: Soundness
    rate_wanted_per_s: float | None  # of an open workload: due tickets
    rate_achieved_per_s: float | None  # of an open workload: submissions
    waited_for_user: int | None  # of an open workload: tickets taken after they were due
    duration_from: Mapping[str, int]  # how many durations came from which source
    interrupted: int  # jobs with work that was lost, as far as polls saw it
    polling: Polling  # what the poll interval blurs
    percentiles_s: Mapping[str, Percentiles]
    latency: Mapping[str, Mapping[str, Any]]  # both durations, with jobs that did not end
    by_job_type: Mapping[str, Mapping[str, Any]]  # see `by_type.OfType`
    moved: Moved
    failures: Sequence[Group]  # images that failed, by reason

    def as_json(self) -> dict[str, Any]:
        """The same as plain dicts and numbers."""
        return asdict(self)

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Summary:
        """What ``as_json`` made; KeyError and TypeError for what is none."""
        told = found["percentiles_s"].items()
        return cls(
            **{
                **found,
                "regime": Regime(**found["regime"]),
                "plateau": Plateau(**found["plateau"]),
                "pauses": Pauses(**{**found["pauses"], "lines": tuple(found["pauses"]["lines"])}),
                "trimmed": Trimmed(**found["trimmed"]),
                "cold_start": ColdStart(**found["cold_start"]),
                "soundness": Soundness(**found["soundness"]),
                "percentiles_s": {name: Percentiles(**each) for name, each in told},
                "moved": Moved(**found["moved"]),
                "failures": tuple(
                    Group(**{**group, "names": tuple(group["names"])})
                    for group in found["failures"]
                ),
                "polling": Polling(**found["polling"]),
            }
        )


def summarise(path: Path, cycle: int | None = None) -> Summary:
    """The summary of one cycle, or with None of the whole run; raises LedgerError.

    Takes constant memory and, for a million jobs, tens of seconds of one processor: call it
    from a thread where something else must go on.
    """
    with opened(path) as db:
        return summarise_open(db, facts(db), cycle)


def summarise_open(
    db: sqlite3.Connection, run: RunFacts, cycle: int | None, times: Times | None = None
) -> Summary:
    """The same from a ledger that is open already, whose ``times`` may be gathered already."""
    times = times or gather(db, run)
    gaps_between = tuple(gaps(run.sessions))
    mark_spells(db, gaps_between)
    given = {"cycle": cycle}
    # fmt: off
    (tickets, submitted, ambiguous, polls, images_done, images_failed,
     expire_errors) = db.execute(_COUNTS, given).fetchone()
    first, ended_at, _, _, _, submitted_at, *_ = db.execute(_SPAN + _CHOSEN, given).fetchone()
    (kept_first, kept_ended_at, useful, images, waited, _, corrected, flawed, contradicting,
     unknown_images, unknown_zips) = db.execute(_SPAN + latency_queries.CHOSEN, given).fetchone()
    # fmt: on
    (cut,) = db.execute(
        f"SELECT count(*) FROM temp.times WHERE {_CHOSEN} AND NOT kept", given
    ).fetchone()
    counted = _tally(db, "outcome", "tickets", given)
    outcomes = {outcome.value: counted.get(outcome.value, 0) for outcome in Outcome}
    (ended,) = db.execute(
        f"SELECT count(*) FROM temp.times WHERE {_CHOSEN} AND ended", given
    ).fetchone()
    kept_span_s = _span(kept_first, kept_ended_at)
    percentiles_s = _percentiles(db, given)
    plateau = find_plateau(db, cycle, percentiles_s["total"].p50)
    regime = latency_queries.regime(db, cycle)
    found = {name: latency_queries.latency(db, name, cycle) for name in latency_queries.COLUMNS}
    latency = {name: latency_queries.as_json(each, regime) for name, each in found.items()}
    is_open = run.is_open
    makespan_s = _span(first, ended_at)
    images_per_s = _rate_over(images, kept_span_s)
    done = (outcomes[Outcome.DONE] + outcomes[Outcome.PARTIAL], images_done or 0)
    return Summary(
        workload="open" if is_open else "closed",
        tickets=tickets,
        outcomes=outcomes,
        ended=ended,
        not_ended=tickets - ended,
        never_begun=db.execute(_NEVER_BEGUN, given).fetchone()[0],
        submitted=submitted,
        attempts=_attempts(db, given),
        ambiguous=ambiguous or 0,
        polls=polls or 0,
        expire_errors=expire_errors or 0,
        images_done=images_done or 0,
        images_failed=images_failed or 0,
        first_due_at=first,
        first_submitted_at=submitted_at,
        last_ended_at=ended_at,
        makespan_s=makespan_s,
        jobs_per_s=_rate_over(useful, kept_span_s),
        images_per_s=images_per_s,
        plateau_jobs_per_s=plateau.jobs_per_s,
        plateau_images_per_s=plateau.images_per_s,
        plateau=plateau,
        pauses=_pauses(db, given, gaps_between, (first, ended_at), (kept_first, kept_ended_at)),
        regime=regime,
        headline=headline(
            regime, done, makespan_s, images_per_s, plateau=plateau, latency=latency["duration"]
        ),
        trimmed=Trimmed(
            times.warmup, times.cooldown, cut, latency_queries.suggested_warmup(db, cycle)
        ),
        cold_start=_cold_start(db, run, given),
        soundness=Soundness(
            corrected or 0, flawed or 0, contradicting or 0, unknown_images, unknown_zips
        ),
        rate_wanted_per_s=_rate(db, "due_at", given) if is_open else None,
        rate_achieved_per_s=_rate(db, "submitted_at", given) if is_open else None,
        waited_for_user=(waited or 0) if is_open else None,
        duration_from=_tally(db, "duration_from", "temp.times", given),
        interrupted=_interrupted(db, given),
        polling=_polling(db, run, percentiles_s, given),
        percentiles_s=percentiles_s,
        latency=latency,
        by_job_type=by_type.by_job_type(db, cycle, kept_span_s),
        moved=transfer_stats.count(db, given, is_downloading=run.is_downloading),
        failures=tuple(grouped(_failures(db, given))),
    )


def _failures(
    db: sqlite3.Connection, given: Mapping[str, object]
) -> Iterator[tuple[Iterable[FailedImage], int, str]]:
    """Of each job with images that failed: these, how many they are, and why the others failed."""
    for file, failed, reason, fields in db.execute(_FAILED, given):
        why = last_line(reason or "")
        if named := of_fields(loads(fields)) if fields else []:
            yield named, failed, NOT_KEPT if len(named) == MOST_KEPT else NO_REASON
        else:
            yield [FailedImage(file, why)], failed, why


def _pauses(
    db: sqlite3.Connection,
    given: Mapping[str, object],
    gaps_between: Sequence[Gap],
    whole: tuple[float | None, float | None],
    kept: tuple[float | None, float | None],
) -> Pauses:
    """Those of the cycle, between its first due time and its last end; of the run, all."""
    makespan_s, kept_s = _span(*whole), _span(*kept)
    if whole[0] is None or whole[1] is None or kept[0] is None or kept[1] is None:
        lines = pause_lines(gaps_between, None)
        return Pauses(len(gaps_between), 0.0, None, None, None, interrupted(gaps_between), lines)
    start, end = whole[0], whole[1]
    if given["cycle"] is not None:
        gaps_between = [gap for gap in gaps_between if gap.within(start, end)]
    paused_s = sum(gap.within(start, end) for gap in gaps_between)
    kept_paused_s = sum(gap.within(kept[0], kept[1]) for gap in gaps_between)
    useful, images = db.execute(_ALIVE + latency_queries.CHOSEN, given).fetchone()
    alive_s = (kept_s or 0.0) - kept_paused_s
    return Pauses(
        len(gaps_between),
        paused_s,
        None if makespan_s is None else makespan_s - paused_s,
        _rate_over(useful, alive_s),
        _rate_over(images, alive_s),
        interrupted(gaps_between),
        pause_lines(gaps_between, start),
    )


def _cold_start(db: sqlite3.Connection, run: RunFacts, given: Mapping[str, object]) -> ColdStart:
    duration_s, queue_wait_s = db.execute(_COLD, given).fetchone() or (None, None)
    cost = RunCost.of_run(run)
    estimate = cost.run.estimate if cost and cost.run else {}
    scaling = estimate.get("autoscaler") or {}
    return ColdStart(duration_s, queue_wait_s, scaling.get("first_gpu_node_s"))


def _percentiles(db: sqlite3.Connection, given: Mapping[str, object]) -> dict[str, Percentiles]:
    found: dict[str, Percentiles] = {}
    source = f"temp.times WHERE {latency_queries.CHOSEN}"
    for name, values in percentiles.columns(db, _COLUMNS, source, given):
        if name in STAGE_FIELDS:
            values.extend(row[0] for row in db.execute(children_of(name), given))
        found[name] = percentiles.of_values(values)
    for name, sql in transfer_stats.TIMES.items():
        found[name] = percentiles.of(db, sql, given)
    return found


def _tally(
    db: sqlite3.Connection, column: str, table: str, given: Mapping[str, object]
) -> dict[str, int]:
    sql = f"""SELECT {column}, count(*) FROM {table}
        WHERE {_CHOSEN} AND {column} IS NOT NULL GROUP BY {column}"""
    return dict(db.execute(sql, given).fetchall())


def _interrupted(db: sqlite3.Connection, given: Mapping[str, object]) -> int:
    sql = f"SELECT count(*) FROM temp.times WHERE {_CHOSEN} AND interruptions > 0"
    number: int = db.execute(sql, given).fetchone()[0]
    return number


def _polling(
    db: sqlite3.Connection,
    run: RunFacts,
    times_s: Mapping[str, Percentiles],
    given: Mapping[str, object],
) -> Polling:
    """What the poll interval blurs: of jobs that are kept, as percentiles are."""
    sql = f"""SELECT count(*) FROM temp.times
        WHERE {latency_queries.CHOSEN} AND ended AND ended_from <> 'finished_at'"""
    (bounded,) = db.execute(sql, given).fetchone()
    (unsplit,) = db.execute(_UNSPLIT, given).fetchone()
    zip_s = percentiles.of(db, _ZIP_DURATIONS, given).typical if unsplit else None
    interval = run.options.get("update_interval_s")
    errors = [times_s[name] for name in ("duration_error", "since_due_error")]
    return polling(
        None if interval is None else float(interval),
        bounded,
        median_s=times_s["duration"].typical,
        error_s=max((error.high for error in errors if error.high is not None), default=None),
        waited_s=None if run.is_open else times_s["detection"].typical,
        is_few=all(error.p95 is None for error in errors),
        unsplit=unsplit,
        zip_s=zip_s,
    )


def _attempts(db: sqlite3.Connection, given: Mapping[str, object]) -> int:
    sql = f"SELECT count(*) FROM attempts JOIN tickets ON tickets.id = ticket_id WHERE {_CHOSEN}"
    number: int = db.execute(sql, given).fetchone()[0]
    return number


def _span(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else end - start


def _rate_over(number: int | None, span_s: float | None) -> float | None:
    """So many a second; None of a single one, which has no rate."""
    return _ratio(number, span_s) if number and number > 1 else None


def _ratio(number: int, span_s: float | None) -> float | None:
    return number / span_s if span_s else None


def _rate(db: sqlite3.Connection, moment: str, given: Mapping[str, object]) -> float | None:
    """Arrivals a second within the sessions: n of them have n - 1 gaps between them."""
    found = spans(db, moment, "NULL", given, "temp.times WHERE kept")
    return _ratio(found.gaps, found.span_s)
