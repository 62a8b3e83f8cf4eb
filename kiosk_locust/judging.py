"""Judges a run by its ledger and by what its processes saw: the verdict and the thresholds."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass, replace
from typing import TypedDict

from kiosk_locust.latencies import least_p99_s
from kiosk_locust.measured import measured
from kiosk_locust.options import TrustOptions
from kiosk_locust.quality import rules
from kiosk_locust.quality.judgement import Judgement, judgement
from kiosk_locust.quality.processes import Generator
from kiosk_locust.quality.rules import Validity
from kiosk_locust.quality.thresholds import Row, evaluate
from kiosk_locust.reckoning import Reckoning


@dataclass(frozen=True, slots=True)
class Judged:
    """What is kept in the ledger; ``generator`` has earlier sessions of the run, too."""

    judgement: Judgement
    generator: Generator
    rows: tuple[Row, ...] = ()


def judge(
    reckoning: Reckoning, trust: TrustOptions, generator: Generator, aborted: str = ""
) -> Judged:
    """Judge the whole run by its ledger's reckoning.

    Of a run that was ``aborted`` by a missed threshold, the tickets left open are no doubt. Takes
    a minute for a million jobs, if nobody had worked out their times before: call it from a
    thread. Raises LedgerError.
    """
    thresholds = trust.thresholds
    with reckoning:
        run, summary = reckoning.run, reckoning.summary()
        found = measured(reckoning.db, run, thresholds, times=reckoning.times, summary=summary)
        sound = replace(found.facts, **_p99s(reckoning.db))
    session = run.sessions[-1].number if run.sessions else 1
    whole = replace(generator, session=session).after(run.earlier_generator)
    known = whole.in_facts(sound)
    if aborted:
        known = replace(known, undecided=None)
    rows = evaluate(thresholds, found.figures)
    validity = rules.judge(known, trust.limits)
    made = judgement(
        _without_resume(validity) if run.simulated else validity,
        rows,
        is_batch=found.regime.kind == "batch",
        why_batch=found.regime.why,
        interrupted=summary.pauses.text,
    )
    return Judged(made, whole, rows)


#: What a rule advises of jobs that did not end, up to the end of the sentence.
_TO_RESUME = re.compile(r"Resume the run \(--resume\)[^.;]*")


def _without_resume(validity: Validity) -> Validity:
    """The reasons of a run whose embedded simulated Kiosk ended with it: it cannot be resumed."""
    return replace(
        validity,
        reasons=tuple(
            replace(reason, why=_TO_RESUME.sub("Start a new run, or give it more time", reason.why))
            for reason in validity.reasons
        ),
    )


class _P99s(TypedDict):
    submission_lag_p99_s: float | None
    clock_error_s: float | None
    socket_wait_p99_s: float | None


def _p99s(db: sqlite3.Connection) -> _P99s:
    """As rules go by them: a few late values make no p99."""
    return {
        "submission_lag_p99_s": least_p99_s(db, "submission_lag_s"),
        "clock_error_s": least_p99_s(db, "duration_error_s"),
        "socket_wait_p99_s": least_p99_s(db, "socket_wait_s"),
    }
