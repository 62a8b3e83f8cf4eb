"""Where the time of one job went, worked out of its rows in the ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from kiosk_locust.formatting.json_text import dumps, loads
from kiosk_locust.measurement.clock_offsets import Clocks
from kiosk_locust.measurement.job_durations import ClockedJob, clocked, corrected
from kiosk_locust.measurement.stages import NO_PARTS, PartTimes, part_times
from kiosk_locust.measurement.timing_rows import (
    NO_INTERRUPTION,
    NO_ZIP,
    NOT_INTERRUPTED,
    ClosedJob,
    Interruption,
    JobDuration,
    JobEnd,
    JobTiming,
    Ticketing,
    ZipTimes,
)
from kiosk_locust.measurement.warmup import Kept
from kiosk_locust.model.interruptions import finisher_of, takeovers, was_at_work_before
from kiosk_locust.model.job_hash import Snapshot
from kiosk_locust.model.job_metrics import ENDED, STAGE_FIELDS, first_number, is_zip, stage_times
from kiosk_locust.model.job_moments import (
    NO_LOSS,
    LostWork,
    WorkTimes,
    ZipWork,
    divide,
    lost_work,
    starts_at,
)
from kiosk_locust.model.record import StatusChange
from kiosk_locust.model.zip_stages import ZipStages, zip_stages

#: What polls saw of a ticket's statuses, in order; read only of ZIPs and of images that need it.
Changes = Callable[[int], Sequence[StatusChange]]
_FIELDS = tuple(STAGE_FIELDS.values())
_NO_STAGES: tuple[float | None, ...] = (None,) * len(_FIELDS)


class _SeenBy(NamedTuple):
    """What polls saw, and what is known of the clocks of those who wrote it."""

    changes: Changes
    clocks: Clocks


def work_out(job: ClosedJob, clocks: Clocks, kept: Kept | None, changes: Changes) -> JobTiming:
    """The times of one job; ``kept`` is what is kept of its cycle, None: all."""
    # A job that was given up as failed (a ZIP that waits for ever) did not end, as far as is known.
    was_seen = job.observed_at is not None or job.duration_s is not None
    due_at, taken_at, at = job.due_at, job.taken_at, job.at
    ticket: Ticketing = {
        "ticket_id": job.id,
        "cycle": job.cycle,
        "at": at,
        "kept": kept is None or (at is not None and kept.has(at)),
        "taken": taken_at is not None,
        "due_at": due_at,
        "submitted_at": job.submitted_at,
        "closed_at": job.closed_at,
        "outcome": job.outcome,
        "images_done": job.images_done or 0,
        "waited": None if due_at is None or taken_at is None else taken_at > due_at,
        "is_zip": is_zip(job.file, job.job_id or ""),
        "submission_lag_s": _span(due_at, job.begun_at),
    }
    if job.outcome in ENDED and was_seen:
        return _ended(job, ticket, clocks, changes)
    return _unended(job, ticket, changes)


def _stages(fields: Mapping[str, str]) -> tuple[float | None, ...]:
    """What the Kiosk measured of an image: the first number that there is of each stage."""
    return tuple([first_number(fields.get(name)) for name in _FIELDS])


def _unended(job: ClosedJob, ticket: Ticketing, changes: Changes) -> JobTiming:
    """The times of a ticket whose job did not end, or that never became one."""
    interruption = NO_INTERRUPTION
    if not ticket["is_zip"] and job.submitted_at is not None:
        interruption = NOT_INTERRUPTED
        if job.is_suspect:
            times = takeovers(changes(job.id), "")
            interruption = {**NO_INTERRUPTION, "interruptions": times}
    age_s, since_due_s = _age_s(job), _age_since_due_s(job)
    duration: JobDuration = {
        "ended": None if age_s is None else False,
        "duration_s": age_s,
        "duration_from": None,
        "duration_error_s": None,
        "is_corrected": False,
        "flaw": "",
    }
    end: JobEnd = {
        "ended_since_due": None if since_due_s is None else False,
        "since_due_s": since_due_s,
        "since_due_error_s": None,
        "ended_at": None,
        "ended_from": None,
        "detection_bound_s": None,
    }
    parts: PartTimes = {
        **NO_PARTS,
        "socket_wait_s": _span(job.asked_at, job.sent_at),
        "submission_http_s": _span(job.sent_at, job.received_at),
    }
    return JobTiming(ticket, duration, end, parts, interruption, NO_ZIP, _NO_STAGES, {})


def _ended(job: ClosedJob, ticket: Ticketing, clocks: Clocks, changes: Changes) -> JobTiming:
    """The times of a job that ended."""
    fields: dict[str, str] = loads(job.fields) if job.fields else {}
    by_clock = clocked(job, fields, clocks)
    duration = corrected(job, by_clock)
    end = _end(job, duration, by_clock)
    if ticket["is_zip"]:
        children = stage_times(Snapshot(fields), zipped=True) if fields else {}
        stages = _zip_stages(fields, by_clock, changes(job.id), clocks)
        work, zip_times = _zip_work(stages), _zip_times(stages)
        parts = _parts(job, work, by_clock)
        interruption = NO_INTERRUPTION
        if stages.interrupted:
            interruption = {
                "interruptions": 1,
                "interrupted_s": work.interrupted_s,
                "interrupted_error_s": stages.error_s,
            }
        return JobTiming(
            ticket, duration, end, parts, interruption, zip_times, _NO_STAGES, children
        )
    measured = _stages(fields)
    lost = _lost(job, finisher_of(fields), measured[0], by_clock, _SeenBy(changes, clocks))
    stamped_s = None if duration["duration_from"] == "observed" else duration["duration_s"]
    created_at = None if by_clock is None else by_clock.created.at
    work = divide(stamped_s, measured[0], created_at, lost)
    parts = _parts(job, work, by_clock)
    interruption = _interruption(lost, work, end["since_due_error_s"])
    return JobTiming(ticket, duration, end, parts, interruption, NO_ZIP, measured, {})


def _end(job: ClosedJob, duration: JobDuration, by_clock: ClockedJob | None) -> JobEnd:
    """The end by our clock; without polls, as in another program's results, by the duration."""
    ended_at = _sum(job.submitted_at, duration["duration_s"])
    source, error_s = duration["duration_from"], None
    if by_clock:
        moment, source = by_clock.ended
        ended_at, error_s = moment.at, moment.error_s
    return {
        "ended_since_due": True,
        "since_due_s": _span(starts_at(job.due_at, job.taken_at), ended_at),
        "since_due_error_s": error_s,
        "ended_at": ended_at,
        "ended_from": source,
        "detection_bound_s": _span(job.observed_after, job.observed_at),
    }


def _zip_stages(
    fields: Mapping[str, str],
    by_clock: ClockedJob | None,
    seen: Sequence[StatusChange],
    clocks: Clocks,
) -> ZipStages:
    """The stages of a ZIP; none of one whose polls are not known."""
    if by_clock is None:
        return ZipStages()
    return zip_stages(
        by_clock.created,
        by_clock.ended.moment,
        seen,
        clocks.bound,
        unpacking_s=first_number(fields.get("children_upload_time")),
        packing_s=first_number(fields.get("cleanup_time")),
    )


def _zip_work(stages: ZipStages) -> WorkTimes:
    queue_s, lost_s, *rest = (stage.value if stage else None for stage in stages)
    return WorkTimes(queue_s, lost_s if stages.interrupted else 0.0, None, ZipWork(*rest))


def _zip_times(stages: ZipStages) -> ZipTimes:
    """The columns that only ZIPs have."""
    if not any(stages):
        return NO_ZIP
    bounds = {
        name: (stage.low, stage.high)
        for name, stage in zip(ZipStages._fields, stages, strict=True)
        if stage
    }
    return {
        "unpacking_s": stages.unpacking and stages.unpacking.value,
        "children_s": stages.children and stages.children.value,
        "packing_s": stages.packing and stages.packing.value,
        "zip_error_s": stages.error_s,
        "stage_bounds": dumps(bounds).decode(),
    }


def _lost(
    job: ClosedJob,
    finisher: str,
    total_s: float | None,
    by_clock: ClockedJob | None,
    seen_by: _SeenBy,
) -> LostWork:
    """The work on an image that was lost; few jobs need a look at what each poll saw."""
    ended = by_clock and by_clock.ended.moment
    is_other = bool(finisher and job.work_by and finisher != job.work_by)
    if not (job.is_suspect or is_other or was_at_work_before(ended, total_s, job.work_seen_at)):
        return NO_LOSS
    changes, clocks = seen_by
    return lost_work(changes(job.id), finisher, ended, total_s, clocks.bound)


def _interruption(lost: LostWork, work: WorkTimes, error_s: float | None) -> Interruption:
    """The interruptions of an image, the time that was lost, and how far off that may be."""
    if not lost.times:
        return NOT_INTERRUPTED
    if lost.began is None or work.interrupted_s is None:
        return {**NO_INTERRUPTION, "interruptions": lost.times}
    return {
        "interruptions": lost.times,
        "interrupted_s": work.interrupted_s,
        "interrupted_error_s": lost.began.error_s + (error_s or 0.0),
    }


def _age_s(job: ClosedJob) -> float | None:
    """Seconds that a job which did not end lasted at least; None of what was no job."""
    if job.submitted_at is None or job.outcome in (None, "rejected"):
        return None
    return max(0.0, (job.observed_after or job.submitted_at) - job.submitted_at)


def _age_since_due_s(job: ClosedJob) -> float | None:
    """Seconds after it was due that a ticket was still on; None: the run was over before."""
    start = starts_at(job.due_at, job.taken_at)
    until = job.observed_after if job.submitted_at is not None else job.closed_at
    if job.outcome in (None, "rejected") or start is None or (until or 0.0) < start:
        return None
    return (until or 0.0) - start


def _parts(job: ClosedJob, work: WorkTimes, by_clock: ClockedJob | None) -> PartTimes:
    """The parts of a job that ended; where its moments are not known, its queue wait alone."""
    start_at = starts_at(job.due_at, job.taken_at)
    if by_clock is None or job.observed_at is None or job.sent_at is None or start_at is None:
        return {**NO_PARTS, "queue_wait_s": work.queue_s}
    return part_times(
        start_at=start_at,
        asked_at=job.asked_at,
        sent_at=job.sent_at,
        received_at=job.received_at,
        created_at=by_clock.created.at if by_clock.created.is_stamped else None,
        work=work,
        ended=by_clock.ended,
        observed_at=job.observed_at,
    )


def _span(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else end - start


def _sum(start: float | None, span_s: float | None) -> float | None:
    return None if start is None or span_s is None else start + span_s
