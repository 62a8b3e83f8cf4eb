"""What a job took and how many images it made, from its record; pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

from kiosk_locust.record import Outcome, Record
from kiosk_locust.snapshot import Snapshot

DurationSource = Literal["finished_at", "updated_at", "observed"]

#: Stages that the Kiosk times itself, and the field that each is read from.
STAGE_FIELDS = {
    "total": "total_time",
    "download": "download_time",
    "predict": "prediction_time",
    "postprocess": "postprocess_time",
    "upload": "upload_time",
    "children_upload": "children_upload_time",
    "cleanup": "cleanup_time",
}
STAGES = ("queue_wait", *STAGE_FIELDS)

#: Outcomes of jobs that the Kiosk brought to an end; only these have a duration and images.
ENDED = (Outcome.DONE, Outcome.PARTIAL, Outcome.FAILED)


@dataclass(frozen=True, slots=True)
class Measures:
    """Durations in seconds; what is not known is None, never zero.

    A ZIP that failed as a whole and whose files nobody counted has one failed image: at least
    so many are missing.
    """

    duration_s: float | None
    duration_from: DurationSource | None
    queue_wait_s: float | None
    images_done: int
    images_failed: int


def is_zip(image_name: str, job_id: str = "") -> bool:
    """Whether the job is a ZIP of images: the queue in its id tells, else the file's name."""
    queue, separator, _ = job_id.partition(":")
    if separator:
        return queue.endswith("-zip")
    return image_name.lower().endswith(".zip")


def timing(snapshot: Snapshot, name: str) -> tuple[float, ...]:
    """The numbers in field ``name``, in seconds: one for an image, one a child for a ZIP.

    Parts that are no finite number of at least 0 are left out.
    """
    return numbers(snapshot.fields.get(name))


def numbers(text: str | None) -> tuple[float, ...]:
    """The same of a field's text."""
    if not text:
        return ()
    if "," not in text:  # most are
        number = _number(text)
        return () if number is None else (number,)
    found = (_number(part) for part in text.split(","))
    return tuple(number for number in found if number is not None)


def first_number(text: str | None) -> float | None:
    """The first of them, which of an image is the only one."""
    if not text:
        return None
    try:  # written out: a run of a million jobs asks sixteen million times
        number = float(text)
    except ValueError:  # a list, or no number
        return next(iter(numbers(text)), None)
    return number if 0 <= number < math.inf else None


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 <= number < math.inf else None


def stage_times(snapshot: Snapshot, *, zipped: bool) -> dict[str, tuple[float, ...]]:
    """Seconds by each stage of STAGE_FIELDS; an image job has at most one number a stage."""
    most = None if zipped else 1
    return {stage: timing(snapshot, name)[:most] for stage, name in STAGE_FIELDS.items()}


class _Last(NamedTuple):
    """What was made of a record last: each listener of one event asks for it again."""

    record: Record
    made_of: tuple[object, ...]
    found: Measures
    stages: dict[str, tuple[float, ...]] | None = None


_last: list[_Last] = []  # at most one


def stages(record: Record, found: Measures) -> dict[str, tuple[float, ...]]:
    """Seconds by each of STAGES, for a job that ended; empty tuples for one that did not."""
    last = _last[0] if _last else None
    is_last = last is not None and last.found is found and last.record is record
    if last is not None and is_last and last.stages is not None:
        return last.stages
    times = _stages(record, found)
    if last is not None and is_last:
        _last[:] = [last._replace(stages=times)]
    return times


def _stages(record: Record, found: Measures) -> dict[str, tuple[float, ...]]:
    if record.outcome not in ENDED:
        return dict.fromkeys(STAGES, ())
    wait = () if found.queue_wait_s is None else (found.queue_wait_s,)
    zipped = is_zip(record.request.image_name, record.job_id)
    return {"queue_wait": wait, **stage_times(record.snapshot or Snapshot(), zipped=zipped)}


def measure(record: Record) -> Measures:
    """The measures of a record, as far as its last snapshot and observations tell them."""
    made_of = (
        record.snapshot,
        record.outcome,
        record.observed_at,
        record.submitted_at,
        record.job_id,
        record.request,
    )
    last = _last[0] if _last else None
    if last is not None and last.record is record and last.made_of == made_of:
        return last.found
    found = _measure(record)
    _last[:] = [_Last(record, made_of, found)]
    return found


def _measure(record: Record) -> Measures:
    snapshot = record.snapshot or Snapshot()
    zipped = is_zip(record.request.image_name, record.job_id)
    duration_s, source = _duration(record, snapshot)
    done, failed = _images(record, snapshot, zipped=zipped)
    queue_wait_s = None
    if duration_s is not None and source != "observed" and not zipped:
        queue_wait_s = _queue_wait(snapshot, duration_s)
    return Measures(duration_s, source, queue_wait_s, done, failed)


def _queue_wait(snapshot: Snapshot, duration_s: float) -> float | None:
    """What is left of the duration without ``total_time``, which counts from the dequeue.

    Two machines' clocks can make it slightly negative; it is no wait then, and leaving such
    jobs out would push every percentile up.
    """
    totals = timing(snapshot, "total_time")
    return max(0.0, duration_s - totals[0]) if totals else None


def _duration(record: Record, snapshot: Snapshot) -> tuple[float | None, DurationSource | None]:
    """The server's own duration where it gave one, else what the polls saw."""
    if not snapshot.is_final or record.outcome not in (None, *ENDED):
        return None, None
    created = snapshot.time("created_at")
    sources: tuple[DurationSource, ...] = ("finished_at", "updated_at")
    for source in sources:
        ended = snapshot.time(source)
        if created is not None and ended is not None and ended >= created:
            return ended - created, source
    if record.observed_at is not None and record.submitted_at is not None:
        return record.observed_at - record.submitted_at, "observed"
    return None, None


def _images(record: Record, snapshot: Snapshot, *, zipped: bool) -> tuple[int, int]:
    """Images done and failed: a ZIP counts for its children, another job for one."""
    if record.outcome not in ENDED:
        return 0, 0
    if not zipped:
        return (0, 1) if record.outcome is Outcome.FAILED else (1, 0)
    failed = failed_children(snapshot)
    children = _children(snapshot)
    done = _keys(snapshot, "children:done")
    if not done:  # older consumers keep no lists: a time for each finished child is left
        done = len(timing(snapshot, "total_time"))
        done = min(done, children - failed) if children > failed else done
        if not done and not _is_listed(snapshot) and record.outcome is not Outcome.FAILED:
            done = max(0, children - failed)
    if record.outcome is Outcome.FAILED:  # no child that is not done will ever be
        failed = max(failed, children - done, 0 if done else 1)
    return done, failed


def _children(snapshot: Snapshot) -> int:
    """How many jobs the Kiosk made of a ZIP: its list of them, or else ``total_jobs``."""
    if "children" in snapshot.fields:  # of an empty list total_jobs says 1
        return _keys(snapshot, "children")
    return int(first_number(snapshot.fields.get("total_jobs")) or 0)


def _is_listed(snapshot: Snapshot) -> bool:
    """Whether the Kiosk keeps lists of the children that ended."""
    return "children" in snapshot.fields or "children:done" in snapshot.fields


def failed_children(snapshot: Snapshot) -> int:
    """How many of a ZIP's images failed, from ``children:failed`` or else ``failures``."""
    listed = _keys(snapshot, "children:failed")
    return listed or sum(1 for part in snapshot.fields.get("failures", "").split("&") if part)


def _keys(snapshot: Snapshot, name: str) -> int:
    return sum(1 for key in snapshot.fields.get(name, "").split(",") if key)
