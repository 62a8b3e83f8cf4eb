"""The duration of one job in the ledger by our clock, as far as the Kiosk's clocks are known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from kiosk_locust.measurement.clock_correction import Corrected, correct
from kiosk_locust.measurement.clock_offsets import Clocks
from kiosk_locust.measurement.clocks import FRONTEND, FRONTEND_RESOLUTION_S, Bound
from kiosk_locust.measurement.timing_rows import ClosedJob, JobDuration
from kiosk_locust.model.job_moments import JobMoments
from kiosk_locust.model.time_bounds import End, Moment, stamped


class ClockedJob(NamedTuple):
    """The creation and the end of a job by our clock, and its duration by the Kiosk's."""

    created: Moment
    ended: End
    fixed: Corrected | None  # None: the Kiosk's stamps are lacking
    is_known: bool  # both clocks' offsets are


def clocked(job: ClosedJob, fields: Mapping[str, str], clocks: Clocks) -> ClockedJob | None:
    """Creation, end and duration of a job that a poll saw ended; None of another."""
    before, sent_at = job.observed_at, job.submitted_at
    if before is None or sent_at is None:
        return None
    moments = JobMoments.of(job, fields)
    created_at, finished_at, updated_at = (
        moments.created_at,
        moments.finished_at,
        moments.updated_at,
    )
    frontend = None if created_at is None else _frontend(job, created_at, clocks)
    consumer = clocks.bound(fields.get("updated_by", ""), before)
    ended = moments.end(consumer)
    if ended is None:
        return None
    received_at = sent_at if job.received_at is None else job.received_at
    created = stamped(created_at, frontend, job.sent_at or sent_at, received_at)
    ended_at, fixed = finished_at if finished_at is not None else updated_at, None
    if created_at is not None and ended_at is not None:
        fixed = correct(
            created_at,
            ended_at,
            frontend=frontend,
            consumer=consumer,
            watched_s=before - sent_at,
        )
    is_known = frontend is not None and consumer is not None
    return ClockedJob(created, ended, fixed, is_known)


def corrected(job: ClosedJob, by_clock: ClockedJob | None) -> JobDuration:
    """The duration by the Kiosk's stamps, set right where their clocks are known to differ.

    Where they cannot be true, and nothing tells by how much they are off, it goes from the
    creation to the end as polls and answers bound them.
    """
    duration: JobDuration = {
        "ended": True,
        "duration_s": job.duration_s,
        "duration_from": job.duration_from,
        "duration_error_s": None,
        "is_corrected": False,
        "flaw": "",
    }
    if by_clock is None:
        return duration
    created, (moment, source), fixed, is_known = by_clock
    is_stamped = job.duration_s is not None and job.duration_from != "observed"
    if fixed is None and is_stamped:  # by stamps that the last reading no longer has
        return duration
    duration["flaw"] = fixed.flaw if fixed else ""
    is_usable = fixed is not None and fixed.duration_s is not None
    if fixed is None or not is_usable or (fixed.is_corrected and not is_known):
        return _by_moments(duration, created, moment)
    if fixed.is_corrected:
        duration["is_corrected"] = True
        if moment.is_stamped and created.is_stamped:
            return _by_moments(duration, created, moment, source)
        duration["duration_s"], duration["duration_from"] = fixed.duration_s, source
        duration["duration_error_s"] = fixed.error_s
        return duration
    if not is_stamped:
        return _by_moments(duration, created, moment)
    duration["duration_error_s"] = _error_s(job, by_clock, fixed)
    return duration


def _by_moments(
    duration: JobDuration, created: Moment, ended: Moment, source: str = "observed"
) -> JobDuration:
    """The duration from the creation to the end as polls and answers bound them."""
    return {
        **duration,
        "duration_s": max(0.0, ended.at - created.at),
        "duration_from": source,
        "duration_error_s": ended.error_s + created.error_s,
    }


def _error_s(job: ClosedJob, by_clock: ClockedJob, fixed: Corrected) -> float | None:
    """How far a duration by stamps may be off, by the clocks and by polls; None: no bound."""
    created, (moment, source), _, _ = by_clock
    duration_s = job.duration_s or 0.0
    low_s, high_s = max(0.0, moment.low - created.high), moment.high - created.low
    if source == "finished_at":  # another stamp is an upper bound, however well clocks are known
        low_s = max(low_s, fixed.low_s)
    high_s = min(high_s, fixed.high_s)
    if not low_s <= duration_s <= high_s:
        return fixed.error_s if fixed.error_s < math.inf else None
    return max(high_s - duration_s, duration_s - low_s)


def _frontend(job: ClosedJob, created: float, clocks: Clocks) -> Bound | None:
    """The frontend's offset; where its samples contradict one another, by this job's alone."""
    offset = clocks.bound(FRONTEND, job.submitted_at or created)
    if offset is not None or job.sent_at is None or job.received_at is None or job.ambiguous:
        return offset
    latest = created + FRONTEND_RESOLUTION_S
    return Bound(created - job.received_at, latest - job.sent_at)
