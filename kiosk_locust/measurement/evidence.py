"""Evidence of a run's ledger for the verdict: when jobs were first tried, and what befell them.

The generator is judged by each job's first attempt, or the first byte of its upload: what the
Kiosk refused came in time. An attempt counts for the session that took the ticket; what an
earlier one tried is no part of the schedule that goes on.
"""

# ruff: noqa: S608  the parts of the SQL here are constants of this package, no input

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import replace

from kiosk_locust.ledger.reader import RunFacts
from kiosk_locust.ledger.resume_state import LOST, MAYBE
from kiosk_locust.ledger.sessions import gaps, spans
from kiosk_locust.ledger.sql import WAS_SENT
from kiosk_locust.measurement.facts import Causes, OpenEnds, ValidityFacts
from kiosk_locust.measurement.latency_queries import least_p99_s

#: Two moments of one clock, read one after the other, may differ by rounding.
_SAME_S = 0.001
_OF_THIS_SESSION = f">= taken_at - {_SAME_S}"
#: When each ticket was first tried; of a ledger that has no attempts, when it was submitted.
_TRIES = f"""CREATE TEMP TABLE tries AS
    SELECT cycle, kept, due_at, tried_at, tried_at - due_at AS lag_s FROM (
        SELECT cycle, kept, due_at,
            coalesce(min(asked_at, began_at), began_at, asked_at, submitted_at) AS tried_at FROM (
            SELECT times.cycle, kept, times.due_at, times.submitted_at,
                (SELECT min(asked_at) FROM attempts
                    WHERE ticket_id = tickets.id AND asked_at {_OF_THIS_SESSION}) AS asked_at,
                (SELECT min(began_at) FROM uploads
                    WHERE ticket_id = tickets.id AND began_at {_OF_THIS_SESSION}) AS began_at
            FROM temp.times JOIN tickets ON id = temp.times.ticket_id))"""
#: The Kiosk was away or busy; not those that the end of the run took back before they were sent.
_REFUSED = """(result = 'not sent' AND coalesce(error, '') NOT LIKE 'the run was ended by %'
    OR result = 'refused' AND http_status IN (408, 429, 503))"""
_REFUSALS = f"""SELECT sum(number), max(for_s) FROM (
    SELECT count(*) FILTER (WHERE {_REFUSED}) AS number, max(asked_at) - min(asked_at) AS for_s
    FROM attempts JOIN tickets ON id = ticket_id WHERE asked_at {_OF_THIS_SESSION}
    AND ticket_id IN (SELECT ticket_id FROM attempts WHERE result IN ('not sent', 'refused'))
    GROUP BY ticket_id) WHERE number > 0"""
_DOUBLED = """SELECT cause, count(*) FROM (SELECT CASE
    WHEN http_status >= 500 THEN 'status'
    WHEN http_status IS NOT NULL THEN 'unreadable'
    WHEN error LIKE 'worker % was lost%' THEN 'worker'
    WHEN error = :process THEN 'process'
    WHEN error = :disk THEN 'disk'
    WHEN error LIKE 'the run was ended by %' THEN 'ended'
    WHEN error LIKE '%(REQUEST_TIMEOUT)%' THEN 'timeout'
    WHEN result = 'maybe' THEN 'connection'
    ELSE 'unknown' END AS cause
    FROM tickets LEFT JOIN attempts ON ticket_id = id AND attempts.number = (
        SELECT min(number) FROM attempts WHERE ticket_id = id AND result = 'maybe')
    WHERE ambiguous <> 0) GROUP BY cause ORDER BY count(*) DESC"""
_OPEN_ENDS = f"""SELECT
    count(*) FILTER (WHERE job_id IS NULL AND NOT {WAS_SENT}),
    count(*) FILTER (WHERE job_id IS NULL AND NOT {WAS_SENT}
        AND (due_at IS NULL OR due_at > closed_at)),
    count(*) FILTER (WHERE job_id IS NULL AND {WAS_SENT}),
    count(*) FILTER (WHERE job_id IS NOT NULL)
    FROM tickets WHERE outcome = 'unfinished'"""
_TIMED_OUT = "SELECT count(*) FROM tickets WHERE outcome = 'timeout'"
_ERRORS = """SELECT CASE
    WHEN reason LIKE 'not submitted: %' THEN 'not submitted'
    WHEN reason LIKE 'perhaps submitted: %' THEN 'perhaps submitted'
    WHEN reason LIKE 'not uploaded: %' THEN 'not uploaded'
    WHEN reason LIKE 'its status could not be read: %' THEN 'not read'
    WHEN reason LIKE '%.request raised %' THEN 'locustfile'
    ELSE 'other' END AS kind, count(*) FROM tickets
    WHERE outcome = 'error' GROUP BY kind ORDER BY count(*) DESC"""


def add_evidence(
    db: sqlite3.Connection, run: RunFacts, facts: ValidityFacts, cut_jobs: int = 0
) -> ValidityFacts:
    """``facts`` of a whole run with the values that rules go by, and with their causes.

    ``db`` has the run's ``temp.times``. Of percentiles, the lower bound that a few late values
    do not move (`measurement.binomial_bound`); of lags and rates, those of first attempts.
    ``cut_jobs`` is how many jobs warm-up and cool-down left out.
    """
    facts = replace(
        facts,
        clock_error_s=least_p99_s(db, "duration_error_s"),
        socket_wait_p99_s=least_p99_s(db, "socket_wait_s"),
        causes=_causes(db, run, cut_jobs),
    )
    if not run.is_open:
        return facts
    db.execute("DROP TABLE IF EXISTS temp.tries")
    db.execute(_TRIES)
    begun = spans(db, "tried_at", "NULL", {"cycle": None}, "temp.tries WHERE kept")
    return replace(
        facts,
        submission_lag_p99_s=least_p99_s(db, "lag_s", source="temp.tries"),
        rate_achieved_per_s=begun.gaps / begun.span_s if begun.span_s else None,
    )


def _causes(db: sqlite3.Connection, run: RunFacts, cut_jobs: int) -> Causes:
    number, for_s = db.execute(_REFUSALS).fetchone()
    return Causes(
        refused=number or 0,
        refused_s=for_s or 0.0,
        open_ends=_open_ends(db, run),
        doubled_by=_counts(db, _DOUBLED, {"process": MAYBE, "disk": LOST}),
        cut_jobs=cut_jobs,
        paused_s=sum(max(0.0, gap.end - gap.begin) for gap in gaps(run.sessions)),
        sessions=max(1, len(run.sessions)),
    )


def _open_ends(db: sqlite3.Connection, run: RunFacts) -> OpenEnds:
    never_begun, not_yet_due, unsubmitted, in_flight = db.execute(_OPEN_ENDS).fetchone()
    (timed_out,) = db.execute(_TIMED_OUT).fetchone()
    interrupted = never_begun or unsubmitted or in_flight
    return OpenEnds(
        never_begun=never_begun,
        not_yet_due=not_yet_due if run.is_open else 0,
        unsubmitted=unsubmitted,
        in_flight=in_flight,
        timed_out=timed_out,
        errors=_counts(db, _ERRORS, {}),
        ended_by=run.ended_by if interrupted else "",
    )


def _counts(db: sqlite3.Connection, sql: str, given: Mapping[str, str]) -> dict[str, int]:
    return dict(db.execute(sql, given).fetchall())
