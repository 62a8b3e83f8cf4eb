"""Where the time of one job went, worked out of its rows in the ledger."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from kiosk_locust.jsontext import loads
from kiosk_locust.measures import STAGE_FIELDS, first_number, is_zip, stage_times
from kiosk_locust.offsets import Clocks
from kiosk_locust.quality.clocks import FRONTEND, FRONTEND_RESOLUTION_S, Bound
from kiosk_locust.quality.correction import Corrected, correct
from kiosk_locust.quality.stages import Parts, ours, parts
from kiosk_locust.quality.warmup import Kept
from kiosk_locust.snapshot import Snapshot, parse_time

_ENDED = ("done", "partial", "failed")
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
    submission_lag_s: float | None
    lag_s: float | None
    socket_wait_s: float | None
    submission_http_s: float | None
    creation_s: float | None
    queue_wait_s: float | None
    processing_s: float | None
    detection_s: float | None
    detection_bound_s: float | None
    unknown_s: float | None
    unknown_share: float | None
    adds_up: bool | None


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


def work_out(read: Read, clocks: Clocks, kept: Kept | None) -> Worked:
    """The times of one job; ``kept`` is what is kept of its cycle, None: all."""
    has_ended = read.outcome in _ENDED
    zipped = is_zip(read.file, read.job_id or "")
    due_at, taken_at, at = read.due_at, read.taken_at, read.at
    head = (
        read.id, read.cycle, at, kept is None or (at is not None and kept.has(at)),
        taken_at is not None, due_at, read.submitted_at, read.closed_at, read.outcome,
        read.images_done or 0,
        None if due_at is None or taken_at is None else taken_at > due_at, zipped,
    )  # fmt: skip
    if not has_ended:
        return Worked(head + _unended(read), _NO_STAGES, {})
    fields: dict[str, str] = loads(read.fields) if read.fields else {}
    if not zipped:
        stages = _stages(fields)
        return Worked(head + _ended(read, fields, stages[0], clocks), stages, {})
    children = stage_times(Snapshot(fields), zipped=True) if fields else {}
    return Worked(head + _ended(read, fields, None, clocks), _NO_STAGES, children)


def _stages(fields: Mapping[str, str]) -> tuple[float | None, ...]:
    """What the Kiosk measured of an image: the first number that there is of each stage."""
    return tuple([first_number(fields.get(name)) for name in _FIELDS])


def _unended(read: Read) -> tuple[Any, ...]:
    """The rest of a Row of a ticket whose job did not end, or that never became one."""
    waits = (_span(read.asked_at, read.sent_at), _span(read.sent_at, read.received_at))
    lag_s = _span(read.due_at, read.begun_at)
    return (
        *_age(read), None, None, False, "", *_since_due(read), lag_s, None, *waits,
        *(None,) * 8,
    )  # fmt: skip


def _ended(
    read: Read, fields: Mapping[str, str], total_s: float | None, clocks: Clocks
) -> tuple[Any, ...]:
    """The rest of a Row of a job that ended; ``total_s`` is what an image was worked on."""
    created_at, ended_at, stamped_by = _stamps(fields)
    observed_at = read.observed_at
    fixed: Corrected | None = None
    frontend: Bound | None = None
    consumer: Bound | None = None
    if created_at is not None and ended_at is not None:
        frontend = _frontend(read, created_at, clocks)
        consumer = clocks.bound(fields.get("updated_by", ""), observed_at or ended_at)
        watched_s = _span(read.submitted_at, observed_at)
        fixed = correct(
            created_at, ended_at, frontend=frontend, consumer=consumer, watched_s=watched_s
        )
    duration_s, source, queue_s = read.duration_s, read.duration_from, read.queue_wait_s
    is_corrected, error_s = False, None
    if fixed is not None and fixed.is_corrected and frontend and consumer:
        duration_s, source, is_corrected = fixed.duration_s, stamped_by, True
        queue_s = _queue(total_s, duration_s)
    elif fixed is not None and (fixed.is_corrected or fixed.duration_s is None):
        # Its stamps cannot be true, and nothing tells by how much they are off.
        duration_s, source, queue_s = _span(read.submitted_at, observed_at), "observed", None
    bound_s = _span(read.observed_after, observed_at)
    if source == "observed":
        error_s = bound_s
    elif fixed is not None and (known_s := fixed.error_s) < math.inf:
        error_s = known_s
    found = _parts(
        read,
        queue_s,
        total_s,
        ours(created_at, frontend, read.sent_at, read.received_at),
        ours(ended_at, consumer, read.observed_after, observed_at),
    )
    return (
        True, duration_s, source, error_s,
        is_corrected, fixed.flaw if fixed else "",
        True, _span(_start(read), observed_at), _span(read.due_at, read.begun_at),
        *_told(found, queue_s), bound_s, *_unknown(found),
    )  # fmt: skip


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


def _queue(total_s: float | None, duration_s: float | None) -> float | None:
    """The queue wait of an image, by its corrected duration; a ZIP's children overlap."""
    if total_s is None or duration_s is None:
        return None
    return max(0.0, duration_s - total_s)


def _parts(
    read: Read,
    queue_s: float | None,
    total_s: float | None,
    created_at: float | None,
    ended_at: float | None,
) -> Parts | None:
    start_at = _start(read)
    if read.observed_at is None or read.sent_at is None or start_at is None:
        return None
    return parts(
        "taken" if read.due_at is None else "due",
        start_at=start_at,
        asked_at=read.asked_at,
        sent_at=read.sent_at,
        received_at=read.received_at,
        created_at=created_at,
        queue_s=queue_s,
        processing_s=total_s if queue_s is not None else None,
        ended_at=ended_at,
        observed_at=read.observed_at,
    )


def _stamps(fields: Mapping[str, str]) -> tuple[float | None, float | None, str]:
    """When it was created and when it ended, by the Kiosk's clocks, and who says the latter."""
    created = parse_time(fields.get("created_at", ""))
    for source in ("finished_at", "updated_at"):
        ended = parse_time(fields.get(source, ""))
        if ended is not None:
            return created, ended, source
    return created, None, "observed"


def _frontend(read: Read, created: float, known: Clocks) -> Bound | None:
    """The frontend's offset; where its samples contradict one another, by this job's alone."""
    found = known.bound(FRONTEND, read.submitted_at or created)
    if found is not None or read.sent_at is None or read.received_at is None or read.ambiguous:
        return found
    latest = created + FRONTEND_RESOLUTION_S
    return Bound(created - read.received_at, latest - read.sent_at)


def _span(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else end - start


def _told(found: Parts | None, queue_s: float | None) -> tuple[float | None, ...]:
    if found is None:
        return None, None, None, None, queue_s, None, None
    return (
        found.lag_s, found.socket_wait_s, found.submission_http_s, found.creation_s,
        found.queue_wait_s, found.processing_s, found.detection_s,
    )  # fmt: skip


def _unknown(found: Parts | None) -> tuple[float | bool | None, ...]:
    if found is None:
        return None, None, None
    return found.unknown_s, found.unknown_share, found.adds_up
