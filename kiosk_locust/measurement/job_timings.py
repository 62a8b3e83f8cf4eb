"""Where the time of one job went, worked out of its rows in the ledger."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple, TypedDict

from kiosk_locust.formatting.json_text import dumps, loads
from kiosk_locust.measurement.clock_correction import Corrected, correct
from kiosk_locust.measurement.clock_offsets import Clocks
from kiosk_locust.measurement.clocks import FRONTEND, FRONTEND_RESOLUTION_S, Bound
from kiosk_locust.measurement.stages import NO_PARTS, PartTimes, WorkTimes, ZipWork, part_times
from kiosk_locust.measurement.warmup import Kept
from kiosk_locust.model.interruptions import began, first_work, takeovers, was_at_work_before
from kiosk_locust.model.job_hash import Snapshot, parse_time
from kiosk_locust.model.job_metrics import (
    STAGE_FIELDS,
    finisher_of,
    first_number,
    is_zip,
    stage_times,
)
from kiosk_locust.model.record import StatusChange
from kiosk_locust.model.time_bounds import End, Moment, end, stamped
from kiosk_locust.model.zip_stages import ZipStages, zip_stages

_ENDED = ("done", "partial", "failed")
#: What polls saw of a ticket's statuses, in order; read only of ZIPs and of images that need it.
Changes = Callable[[int], Sequence[StatusChange]]
_FIELDS = tuple(STAGE_FIELDS.values())
_NO_STAGES: tuple[float | None, ...] = (None,) * len(_FIELDS)


class ClosedJob(NamedTuple):
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
    work_seen_at: float | None  # a poll saw a consumer at work for the first time
    work_by: str | None  # the last consumer that a poll saw at work
    is_suspect: int  # its consumer may have given way to another


class Ticketing(TypedDict):
    """The steps of a ticket, in epoch seconds; None of what did not come to pass."""

    ticket_id: int
    cycle: int
    at: float | None  # when it counts as due, for a warm-up or a cool-down
    kept: bool
    taken: bool  # by a user, at any time
    due_at: float | None
    submitted_at: float | None
    closed_at: float | None
    outcome: str | None
    images_done: int
    waited: bool | None  # for a user, after it was due
    is_zip: bool
    submission_lag_s: float | None  # due until anything was sent or uploaded for it


class JobDuration(TypedDict):
    """A duration in seconds, where it is from, and how far off it may be (None: no bound).

    ``ended``: True of a job that ended, False of one that did not, whose ``duration_s`` is what it
    is known to have lasted at least, None of a ticket that never became a job.
    """

    ended: bool | None
    duration_s: float | None
    duration_from: str | None
    duration_error_s: float | None
    is_corrected: bool
    flaw: str


class JobEnd(TypedDict):
    """The end of a job by our clock, where it was read, and how far off it may be (s).

    ``ended_since_due`` is as ``ended``, and counts tickets that came due and were never
    submitted, too.
    """

    ended_since_due: bool | None
    since_due_s: float | None
    since_due_error_s: float | None
    ended_at: float | None
    ended_from: str | None
    detection_bound_s: float | None  # between the last two polls


class Interruption(TypedDict):
    """The work of a job that was lost because consumers died, in seconds.

    ``interruptions`` is None of a ZIP without any, and of what was never submitted; the others are
    only of jobs that were interrupted.
    """

    interruptions: int | None
    interrupted_s: float | None
    interrupted_error_s: float | None


class ZipTimes(TypedDict):
    """The stages of a ZIP after its queue wait, in seconds."""

    unpacking_s: float | None
    children_s: float | None
    packing_s: float | None
    zip_error_s: float | None  # the greatest of its stages
    stage_bounds: str | None  # JSON: [least, most] seconds of each stage, by its name


_NO_INTERRUPTION: Interruption = {
    "interruptions": None,
    "interrupted_s": None,
    "interrupted_error_s": None,
}
_NOT_INTERRUPTED: Interruption = {**_NO_INTERRUPTION, "interruptions": 0}
_NO_ZIP: ZipTimes = {
    "unpacking_s": None,
    "children_s": None,
    "packing_s": None,
    "zip_error_s": None,
    "stage_bounds": None,
}
_GROUPS = (Ticketing, JobDuration, JobEnd, PartTimes, Interruption, ZipTimes)
#: The columns of ``temp.times`` that a JobTiming's row fills.
COLUMNS = tuple(name for group in _GROUPS for name in group.__annotations__)
_VALUES = tuple(itemgetter(*group.__annotations__) for group in _GROUPS)


class JobTiming(NamedTuple):
    """The times of one ticket: a row of ``temp.times`` in groups, and what the Kiosk measured.

    Groups are dicts, since a million are made: a NamedTuple of keywords takes three times as long.
    ``stages`` has an image's numbers in the order of STAGE_FIELDS, ``children`` a ZIP's by stage.
    """

    ticket: Ticketing
    duration: JobDuration
    end: JobEnd
    parts: PartTimes
    interruption: Interruption
    zip_times: ZipTimes
    stages: tuple[float | None, ...]
    children: Mapping[str, tuple[float, ...]]

    @property
    def row(self) -> tuple[Any, ...]:
        """The values of COLUMNS."""
        ticket, duration, end, parts, interruption, zip_times = _VALUES
        return (
            *ticket(self.ticket),
            *duration(self.duration),
            *end(self.end),
            *parts(self.parts),
            *interruption(self.interruption),
            *zip_times(self.zip_times),
        )

    def child_rows(self) -> Iterator[tuple[Any, ...]]:
        """Of each child of a ZIP: ticket, stage, cycle, whether it is kept, seconds."""
        ticket_id, cycle, kept = (self.ticket[name] for name in ("ticket_id", "cycle", "kept"))
        for stage, times in self.children.items():
            for value in times:
                yield ticket_id, stage, cycle, kept, value


class _SeenBy(NamedTuple):
    """What polls saw, and what is known of the clocks of those who wrote it."""

    changes: Changes
    clocks: Clocks


class _Clocked(NamedTuple):
    """The creation and the end of a job by our clock, and its duration by the Kiosk's."""

    created: Moment
    ended: End
    fixed: Corrected | None  # None: the Kiosk's stamps are lacking
    is_known: bool  # both clocks' offsets are


class _Lost(NamedTuple):
    """Work that was lost: how often, and when the first consumer began."""

    times: int = 0
    began: Moment | None = None


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
    if job.outcome in _ENDED and was_seen:
        return _ended(job, ticket, clocks, changes)
    return _unended(job, ticket, changes)


def _stages(fields: Mapping[str, str]) -> tuple[float | None, ...]:
    """What the Kiosk measured of an image: the first number that there is of each stage."""
    return tuple([first_number(fields.get(name)) for name in _FIELDS])


def _unended(job: ClosedJob, ticket: Ticketing, changes: Changes) -> JobTiming:
    """The times of a ticket whose job did not end, or that never became one."""
    interruption = _NO_INTERRUPTION
    if not ticket["is_zip"] and job.submitted_at is not None:
        interruption = _NOT_INTERRUPTED
        if job.is_suspect:
            times = takeovers(changes(job.id), "")
            interruption = {**_NO_INTERRUPTION, "interruptions": times}
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
    return JobTiming(ticket, duration, end, parts, interruption, _NO_ZIP, _NO_STAGES, {})


def _ended(job: ClosedJob, ticket: Ticketing, clocks: Clocks, changes: Changes) -> JobTiming:
    """The times of a job that ended."""
    fields: dict[str, str] = loads(job.fields) if job.fields else {}
    clocked = _clocked(job, fields, clocks)
    duration = _duration(job, clocked)
    end = _end(job, duration, clocked)
    if ticket["is_zip"]:
        children = stage_times(Snapshot(fields), zipped=True) if fields else {}
        stages = _zip_stages(fields, clocked, changes(job.id), clocks)
        work, zip_times = _zip_work(stages), _zip_times(stages)
        parts = _parts(job, work, clocked)
        interruption = _NO_INTERRUPTION
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
    lost = _lost(job, fields, measured[0], clocked, _SeenBy(changes, clocks))
    work = _work(duration, measured[0], clocked, lost)
    parts = _parts(job, work, clocked)
    interruption = _interruption(lost, work, end["since_due_error_s"])
    return JobTiming(ticket, duration, end, parts, interruption, _NO_ZIP, measured, {})


def _end(job: ClosedJob, duration: JobDuration, clocked: _Clocked | None) -> JobEnd:
    """The end by our clock; without polls, as in another program's results, by the duration."""
    ended_at = _sum(job.submitted_at, duration["duration_s"])
    source, error_s = duration["duration_from"], None
    if clocked:
        moment, source = clocked.ended
        ended_at, error_s = moment.at, moment.error_s
    return {
        "ended_since_due": True,
        "since_due_s": _span(_start(job), ended_at),
        "since_due_error_s": error_s,
        "ended_at": ended_at,
        "ended_from": source,
        "detection_bound_s": _span(job.observed_after, job.observed_at),
    }


def _zip_stages(
    fields: Mapping[str, str],
    clocked: _Clocked | None,
    seen: Sequence[StatusChange],
    clocks: Clocks,
) -> ZipStages:
    """The stages of a ZIP; none of one whose polls are not known."""
    if clocked is None:
        return ZipStages()
    return zip_stages(
        clocked.created,
        clocked.ended.moment,
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
        return _NO_ZIP
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


def _clocked(job: ClosedJob, fields: Mapping[str, str], clocks: Clocks) -> _Clocked | None:
    """Creation, end and duration of a job that a poll saw ended; None of another."""
    before, sent_at = job.observed_at, job.submitted_at
    if before is None or sent_at is None:
        return None
    after = sent_at if job.observed_after is None else job.observed_after
    created_at = parse_time(fields.get("created_at", ""))
    finished_at = parse_time(fields.get("finished_at", ""))
    updated_at = parse_time(fields.get("updated_at", ""))
    frontend = None if created_at is None else _frontend(job, created_at, clocks)
    consumer = clocks.bound(fields.get("updated_by", ""), before)
    received_at = sent_at if job.received_at is None else job.received_at
    created = stamped(created_at, frontend, job.sent_at or sent_at, received_at)
    ended_at, fixed = finished_at if finished_at is not None else updated_at, None
    if created_at is not None and ended_at is not None:
        fixed = correct(
            created_at,
            ended_at,
            frontend=frontend,
            consumer=consumer,
            watched_s=_span(sent_at, before),
        )
    ended = end(finished_at, updated_at, consumer, after, before)
    is_known = frontend is not None and consumer is not None
    return _Clocked(created, ended, fixed, is_known)


def _duration(job: ClosedJob, clocked: _Clocked | None) -> JobDuration:
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
    if clocked is None:
        return duration
    created, (moment, source), fixed, is_known = clocked
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
    duration["duration_error_s"] = _error_s(job, clocked, fixed)
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


def _error_s(job: ClosedJob, clocked: _Clocked, fixed: Corrected) -> float | None:
    """How far a duration by stamps may be off, by the clocks and by polls; None: no bound."""
    created, (moment, source), _, _ = clocked
    duration_s = job.duration_s or 0.0
    low_s, high_s = max(0.0, moment.low - created.high), moment.high - created.low
    if source == "finished_at":  # another stamp is an upper bound, however well clocks are known
        low_s = max(low_s, fixed.low_s)
    high_s = min(high_s, fixed.high_s)
    if not low_s <= duration_s <= high_s:
        return fixed.error_s if fixed.error_s < math.inf else None
    return max(high_s - duration_s, duration_s - low_s)


def _lost(
    job: ClosedJob,
    fields: Mapping[str, str],
    total_s: float | None,
    clocked: _Clocked | None,
    seen_by: _SeenBy,
) -> _Lost:
    """The work on an image that was lost because consumers died, as far as polls tell."""
    changes, clocks = seen_by
    finisher = finisher_of(fields)
    was_early = clocked is not None and was_at_work_before(
        clocked.ended.moment, total_s, job.work_seen_at
    )
    is_other = bool(finisher and job.work_by and finisher != job.work_by)
    if not (job.is_suspect or is_other or was_early):
        return _Lost()
    seen = changes(job.id)
    times = max(takeovers(seen, finisher), int(was_early))
    first = first_work(seen)
    if not times or first is None:
        return _Lost(times)
    return _Lost(times, began(first, clocks.bound(first.updated_by, first.observed_at)))


def _work(
    duration: JobDuration,
    total_s: float | None,
    clocked: _Clocked | None,
    lost: _Lost,
) -> WorkTimes:
    """Queue wait, lost work and processing of an image; a ZIP's children overlap."""
    duration_s = None if duration["duration_from"] == "observed" else duration["duration_s"]
    before_s = None if total_s is None or duration_s is None else max(0.0, duration_s - total_s)
    if not lost.times:
        return WorkTimes(before_s, 0.0, None if before_s is None else total_s)
    if clocked is None or lost.began is None:
        return WorkTimes(None, None, total_s)
    queue_s = max(0.0, lost.began.at - clocked.created.at)
    if before_s is None:
        return WorkTimes(queue_s, None, None)
    queue_s = min(queue_s, before_s)
    return WorkTimes(queue_s, before_s - queue_s, total_s)


def _interruption(lost: _Lost, work: WorkTimes, error_s: float | None) -> Interruption:
    """The interruptions of an image, the time that was lost, and how far off that may be."""
    if not lost.times:
        return _NOT_INTERRUPTED
    if lost.began is None or work.interrupted_s is None:
        return {**_NO_INTERRUPTION, "interruptions": lost.times}
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
    start = _start(job)
    until = job.observed_after if job.submitted_at is not None else job.closed_at
    if job.outcome in (None, "rejected") or start is None or (until or 0.0) < start:
        return None
    return (until or 0.0) - start


def _start(job: ClosedJob) -> float | None:
    """When it was due, or in a closed workload taken."""
    return job.taken_at if job.due_at is None else job.due_at


def _parts(job: ClosedJob, work: WorkTimes, clocked: _Clocked | None) -> PartTimes:
    """The parts of a job that ended; where its moments are not known, its queue wait alone."""
    start_at = _start(job)
    if clocked is None or job.observed_at is None or job.sent_at is None or start_at is None:
        return {**NO_PARTS, "queue_wait_s": work.queue_s}
    return part_times(
        start_at=start_at,
        asked_at=job.asked_at,
        sent_at=job.sent_at,
        received_at=job.received_at,
        created_at=clocked.created.at if clocked.created.is_stamped else None,
        work=work,
        ended=clocked.ended,
        observed_at=job.observed_at,
    )


def _frontend(job: ClosedJob, created: float, known: Clocks) -> Bound | None:
    """The frontend's offset; where its samples contradict one another, by this job's alone."""
    found = known.bound(FRONTEND, job.submitted_at or created)
    if found is not None or job.sent_at is None or job.received_at is None or job.ambiguous:
        return found
    latest = created + FRONTEND_RESOLUTION_S
    return Bound(created - job.received_at, latest - job.sent_at)


def _span(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else end - start


def _sum(start: float | None, span_s: float | None) -> float | None:
    return None if start is None or span_s is None else start + span_s
