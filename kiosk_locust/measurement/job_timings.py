"""Where the time of one job went, worked out of its rows in the ledger."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from kiosk_locust.formatting.json_text import dumps, loads
from kiosk_locust.measurement.clock_correction import Corrected, correct
from kiosk_locust.measurement.clock_offsets import Clocks
from kiosk_locust.measurement.clocks import FRONTEND, FRONTEND_RESOLUTION_S, Bound
from kiosk_locust.measurement.stages import Parts, Work, ZipWork, parts
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

#: What is less is a rounding error: a float of epoch seconds is exact to a quarter of it.
_RESOLUTION_S = 1e-6
_ENDED = ("done", "partial", "failed")
#: What polls saw of a ticket's statuses, in order; read only of ZIPs and of images that need it.
Changes = Callable[[int], Sequence[StatusChange]]
_FIELDS = tuple(STAGE_FIELDS.values())
_NO_STAGES: tuple[float | None, ...] = (None,) * len(_FIELDS)


class Read(NamedTuple):
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


class Row(NamedTuple):
    """One ticket in ``temp.times``: seconds, epoch seconds, None where not known.

    ``ended``: 1 of a job that ended, 0 of one that did not and whose ``age_s`` is what it is
    known to have lasted at least, None of a ticket that never became a job. The same for
    ``ended_since_due``, which counts tickets that came due and were never submitted, too.
    """

    ticket_id: int
    cycle: int
    at: float | None
    kept: bool
    taken: bool  # by a user, at any time
    due_at: float | None
    submitted_at: float | None
    closed_at: float | None
    outcome: str | None
    images_done: int
    waited: bool | None  # for a user, after it was due
    is_zip: bool
    ended: bool | None
    duration_s: float | None  # of one that did not end: what it lasted at least
    duration_from: str | None
    duration_error_s: float | None
    is_corrected: bool
    flaw: str
    ended_since_due: bool | None
    since_due_s: float | None
    since_due_error_s: float | None
    ended_at: float | None  # by our clock
    ended_from: str | None
    interruptions: int | None  # None: of a ZIP without any, and of what was never submitted
    submission_lag_s: float | None
    lag_s: float | None
    socket_wait_s: float | None
    submission_http_s: float | None
    creation_s: float | None
    queue_wait_s: float | None
    interrupted_s: float | None  # only of jobs that were interrupted
    interrupted_error_s: float | None
    processing_s: float | None
    detection_s: float | None
    detection_bound_s: float | None
    unknown_s: float | None
    unknown_share: float | None
    adds_up: bool | None
    unpacking_s: float | None = None  # this and the rest: of a ZIP
    children_s: float | None = None
    packing_s: float | None = None
    zip_error_s: float | None = None  # the greatest of its stages
    stage_bounds: str | None = None  # JSON: [least, most] seconds of each stage, by its name


class Worked(NamedTuple):
    """One job's times: the values of a Row, and what the Kiosk itself measured.

    ``stages`` has an image's numbers in the order of STAGE_FIELDS, ``children`` a ZIP's by stage.
    """

    row: tuple[Any, ...]
    stages: tuple[float | None, ...]
    children: Mapping[str, tuple[float, ...]]

    def child_rows(self) -> Iterator[tuple[Any, ...]]:
        """Of each child of a ZIP: ticket, stage, cycle, whether it is kept, seconds."""
        ticket_id, cycle, _, kept, *_ = self.row
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


class _Took(NamedTuple):
    """A duration in seconds, where it is from, and how far off it may be (None: no bound)."""

    duration_s: float | None
    source: str | None
    error_s: float | None
    is_corrected: bool = False
    flaw: str = ""


class _Ended(NamedTuple):
    """The end of a job by our clock, where it was read, and how far off it may be."""

    at: float | None
    source: str | None
    error_s: float | None


class _Lost(NamedTuple):
    """Work that was lost: how often, and when the first consumer began."""

    times: int = 0
    began: Moment | None = None


def work_out(read: Read, clocks: Clocks, kept: Kept | None, changes: Changes) -> Worked:
    """The times of one job; ``kept`` is what is kept of its cycle, None: all."""
    # A job that was given up as failed (a ZIP that waits for ever) did not end, as far as is known.
    was_seen = read.observed_at is not None or read.duration_s is not None
    has_ended = read.outcome in _ENDED and was_seen
    zipped = is_zip(read.file, read.job_id or "")
    due_at, taken_at, at = read.due_at, read.taken_at, read.at
    head = (
        read.id, read.cycle, at, kept is None or (at is not None and kept.has(at)),
        taken_at is not None, due_at, read.submitted_at, read.closed_at, read.outcome,
        read.images_done or 0,
        None if due_at is None or taken_at is None else taken_at > due_at, zipped,
    )  # fmt: skip
    if not has_ended:
        return Worked(head + _unended(read, changes, zipped=zipped), _NO_STAGES, {})
    fields: dict[str, str] = loads(read.fields) if read.fields else {}
    if not zipped:
        stages = _stages(fields)
        return Worked(head + _ended(read, fields, stages[0], clocks, changes), stages, {})
    children = stage_times(Snapshot(fields), zipped=True) if fields else {}
    row = head + _ended(read, fields, None, clocks, changes, zipped=True)
    return Worked(row, _NO_STAGES, children)


def _stages(fields: Mapping[str, str]) -> tuple[float | None, ...]:
    """What the Kiosk measured of an image: the first number that there is of each stage."""
    return tuple([first_number(fields.get(name)) for name in _FIELDS])


def _unended(read: Read, changes: Changes, *, zipped: bool) -> tuple[Any, ...]:
    """The rest of a Row of a ticket whose job did not end, or that never became one."""
    waits = (_span(read.asked_at, read.sent_at), _span(read.sent_at, read.received_at))
    lag_s = _span(read.due_at, read.begun_at)
    lost = None if zipped or read.submitted_at is None else 0
    if lost is not None and read.is_suspect:
        lost = takeovers(changes(read.id), "")
    return (
        *_age(read), None, None, False, "", *_since_due(read), None, None, None, lost,
        lag_s, None, *waits, *(None,) * 15,
    )  # fmt: skip


def _ended(
    read: Read,
    fields: Mapping[str, str],
    total_s: float | None,
    clocks: Clocks,
    changes: Changes,
    *,
    zipped: bool = False,
) -> tuple[Any, ...]:
    """The rest of a Row of a job that ended; ``total_s`` is what an image was worked on."""
    clocked = _clocked(read, fields, clocks)
    took = _took(read, clocked)
    stages = None
    if zipped:
        stages = _zip_stages(fields, clocked, changes(read.id), clocks)
        lost, work = _Lost(1) if stages.interrupted else None, _zip_work(stages)
    else:
        lost = _lost(read, fields, total_s, clocked, _SeenBy(changes, clocks))
        work = _work(took, total_s, clocked, lost)
    found = _parts(read, work, clocked)
    ended = _Ended(_sum(read.submitted_at, took.duration_s), took.source, None)
    if clocked:  # else no poll is known of, as in another program's results
        moment, source = clocked.ended
        ended = _Ended(moment.at, source, moment.error_s)
    interrupted = _told_interruption(lost, work, ended.error_s)
    if stages and stages.interrupted:
        interrupted = work.interrupted_s, stages.error_s
    bound_s = _span(read.observed_after, read.observed_at)
    return (
        True, took.duration_s, took.source, took.error_s, took.is_corrected, took.flaw,
        True, _span(_start(read), ended.at), ended.error_s, ended.at, ended.source,
        None if lost is None else lost.times, _span(read.due_at, read.begun_at),
        *_told(found, work.queue_s, interrupted), bound_s, *_unknown(found),
        *_of_zip(stages),
    )  # fmt: skip


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


def _zip_work(stages: ZipStages) -> Work:
    queue_s, lost_s, *rest = (stage.value if stage else None for stage in stages)
    return Work(queue_s, lost_s if stages.interrupted else 0.0, None, ZipWork(*rest))


def _of_zip(stages: ZipStages | None) -> tuple[float | str | None, ...]:
    """The columns that only ZIPs have."""
    if stages is None or not any(stages):
        return (None,) * 5
    _, _, *values = (stage.value if stage else None for stage in stages)
    bounds = {
        name: (stage.low, stage.high)
        for name, stage in zip(ZipStages._fields, stages, strict=True)
        if stage
    }
    return *values, stages.error_s, dumps(bounds).decode()


def _clocked(read: Read, fields: Mapping[str, str], clocks: Clocks) -> _Clocked | None:
    """Creation, end and duration of a job that a poll saw ended; None of another."""
    before, sent_at = read.observed_at, read.submitted_at
    if before is None or sent_at is None:
        return None
    after = sent_at if read.observed_after is None else read.observed_after
    created_at = parse_time(fields.get("created_at", ""))
    finished_at = parse_time(fields.get("finished_at", ""))
    updated_at = parse_time(fields.get("updated_at", ""))
    frontend = None if created_at is None else _frontend(read, created_at, clocks)
    consumer = clocks.bound(fields.get("updated_by", ""), before)
    received_at = sent_at if read.received_at is None else read.received_at
    created = stamped(created_at, frontend, read.sent_at or sent_at, received_at)
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


def _took(read: Read, clocked: _Clocked | None) -> _Took:
    """The duration by the Kiosk's stamps, set right where their clocks are known to differ.

    Where they cannot be true, and nothing tells by how much they are off, it goes from the
    creation to the end as polls and answers bound them.
    """
    if clocked is None:
        return _Took(read.duration_s, read.duration_from, None)
    created, (moment, source), fixed, is_known = clocked
    ours = max(0.0, moment.at - created.at), moment.error_s + created.error_s
    flaw = fixed.flaw if fixed else ""
    is_stamped = read.duration_s is not None and read.duration_from != "observed"
    if fixed is None and is_stamped:  # by stamps that the last reading no longer has
        return _Took(read.duration_s, read.duration_from, None)
    if fixed is None or fixed.duration_s is None or (fixed.is_corrected and not is_known):
        return _Took(ours[0], "observed", ours[1], flaw=flaw)
    if fixed.is_corrected:
        if moment.is_stamped and created.is_stamped:
            return _Took(ours[0], source, ours[1], is_corrected=True, flaw=flaw)
        return _Took(fixed.duration_s, source, fixed.error_s, is_corrected=True, flaw=flaw)
    if not is_stamped:
        return _Took(ours[0], "observed", ours[1], flaw=flaw)
    return _Took(read.duration_s, read.duration_from, _error_s(read, clocked, fixed), flaw=flaw)


def _error_s(read: Read, clocked: _Clocked, fixed: Corrected) -> float | None:
    """How far a duration by stamps may be off, by the clocks and by polls; None: no bound."""
    created, (moment, source), _, _ = clocked
    duration_s = read.duration_s or 0.0
    low_s, high_s = max(0.0, moment.low - created.high), moment.high - created.low
    if source == "finished_at":  # another stamp is an upper bound, however well clocks are known
        low_s = max(low_s, fixed.low_s)
    high_s = min(high_s, fixed.high_s)
    if not low_s <= duration_s <= high_s:
        return fixed.error_s if fixed.error_s < math.inf else None
    return max(high_s - duration_s, duration_s - low_s)


def _lost(
    read: Read,
    fields: Mapping[str, str],
    total_s: float | None,
    clocked: _Clocked | None,
    seen_by: _SeenBy,
) -> _Lost:
    """The work on an image that was lost because consumers died, as far as polls tell."""
    changes, clocks = seen_by
    finisher = finisher_of(fields)
    was_early = clocked is not None and was_at_work_before(
        clocked.ended.moment, total_s, read.work_seen_at
    )
    is_other = bool(finisher and read.work_by and finisher != read.work_by)
    if not (read.is_suspect or is_other or was_early):
        return _Lost()
    seen = changes(read.id)
    times = max(takeovers(seen, finisher), int(was_early))
    first = first_work(seen)
    if not times or first is None:
        return _Lost(times)
    return _Lost(times, began(first, clocks.bound(first.updated_by, first.observed_at)))


def _work(
    took: _Took,
    total_s: float | None,
    clocked: _Clocked | None,
    lost: _Lost | None,
) -> Work:
    """Queue wait, lost work and processing of an image; a ZIP's children overlap."""
    duration_s = None if took.source == "observed" else took.duration_s
    before_s = None if total_s is None or duration_s is None else max(0.0, duration_s - total_s)
    if lost is None or not lost.times:
        return Work(before_s, 0.0, None if before_s is None else total_s)
    if clocked is None or lost.began is None:
        return Work(None, None, total_s)
    queue_s = max(0.0, lost.began.at - clocked.created.at)
    if before_s is None:
        return Work(queue_s, None, None)
    queue_s = min(queue_s, before_s)
    return Work(queue_s, before_s - queue_s, total_s)


def _told_interruption(
    lost: _Lost | None, work: Work, error_s: float | None
) -> tuple[float | None, float | None]:
    """Of a job that was interrupted: the time that was lost, and how far off it may be."""
    if lost is None or not lost.times or lost.began is None or work.interrupted_s is None:
        return None, None
    return work.interrupted_s, lost.began.error_s + (error_s or 0.0)


def _age(read: Read) -> tuple[bool | None, float | None]:
    """Of a job that did not end: that, and what it lasted at least."""
    if read.submitted_at is None or read.outcome in (None, "rejected"):
        return None, None
    return False, max(0.0, (read.observed_after or read.submitted_at) - read.submitted_at)


def _since_due(read: Read) -> tuple[bool | None, float | None]:
    """Of a ticket whose job did not end: that, and how long after it was due it was still on."""
    start = _start(read)
    until = read.observed_after if read.submitted_at is not None else read.closed_at
    if read.outcome in (None, "rejected") or start is None or (until or 0.0) < start:
        return None, None  # the run was over before it came due
    return False, (until or 0.0) - start


def _start(read: Read) -> float | None:
    """When it was due, or in a closed workload taken."""
    return read.taken_at if read.due_at is None else read.due_at


def _parts(read: Read, work: Work, clocked: _Clocked | None) -> Parts | None:
    start_at = _start(read)
    if clocked is None or read.observed_at is None or read.sent_at is None or start_at is None:
        return None
    return parts(
        "taken" if read.due_at is None else "due",
        start_at=start_at,
        asked_at=read.asked_at,
        sent_at=read.sent_at,
        received_at=read.received_at,
        created_at=clocked.created.at if clocked.created.is_stamped else None,
        work=work,
        ended=clocked.ended,
        observed_at=read.observed_at,
    )


def _frontend(read: Read, created: float, known: Clocks) -> Bound | None:
    """The frontend's offset; where its samples contradict one another, by this job's alone."""
    found = known.bound(FRONTEND, read.submitted_at or created)
    if found is not None or read.sent_at is None or read.received_at is None or read.ambiguous:
        return found
    latest = created + FRONTEND_RESOLUTION_S
    return Bound(created - read.received_at, latest - read.sent_at)


def _span(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else end - start


def _sum(start: float | None, span_s: float | None) -> float | None:
    return None if start is None or span_s is None else start + span_s


def _told(
    found: Parts | None, queue_s: float | None, interrupted: tuple[float | None, float | None]
) -> tuple[float | None, ...]:
    if found is None:
        return None, None, None, None, queue_s, *interrupted, None, None
    return (
        found.lag_s, found.socket_wait_s, found.submission_http_s, found.creation_s,
        found.queue_wait_s, *interrupted, found.processing_s, found.detection_s,
    )  # fmt: skip


def _unknown(found: Parts | None) -> tuple[float | bool | None, ...]:
    if found is None:
        return None, None, None
    if abs(found.unknown_s) < _RESOLUTION_S:
        return 0.0, 0.0, found.adds_up
    return found.unknown_s, found.unknown_share, found.adds_up
