"""What a job took and how many images it made, from its record; pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from kiosk_locust.model import image_failures
from kiosk_locust.model.interruptions import began, first_work, takeovers, was_at_work_before
from kiosk_locust.model.job_hash import UNREAD, Snapshot
from kiosk_locust.model.record import AttemptResult, Outcome, Record
from kiosk_locust.model.time_bounds import End, Source, end
from kiosk_locust.model.zip_children import children_of

DurationSource = Source

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

    They go by the Kiosk's stamps as they are, since the offsets of its clocks are known at the
    end of a run only; `measurement.job_timings` corrects them.

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


def is_never_begun(record: Record) -> bool:
    """True of a ticket that the run's end closed before anything of it was sent."""
    was_sent = any(attempt.result is not AttemptResult.NOT_SENT for attempt in record.attempts)
    is_unfinished = record.outcome is Outcome.UNFINISHED
    return is_unfinished and not (record.job_id or was_sent or record.upload)


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
        queue_wait_s = _queue_wait(record, snapshot, duration_s)
    return Measures(duration_s, source, queue_wait_s, done, failed)


def _queue_wait(record: Record, snapshot: Snapshot, duration_s: float) -> float | None:
    """What is left of the duration without ``total_time``, which counts from the dequeue.

    Of a job whose consumer died, it ends where the first consumer began. Two machines' clocks
    can make it slightly negative; it is no wait then, and leaving such jobs out would push every
    percentile up.
    """
    totals = timing(snapshot, "total_time")
    if not totals:
        return None
    left_s = max(0.0, duration_s - totals[0])
    first, created_at = first_work(record.changes), snapshot.time("created_at")
    if first is None or created_at is None or not _is_interrupted(record, snapshot, totals[0]):
        return left_s
    return min(left_s, max(0.0, began(first, None).at - created_at))


def _is_interrupted(record: Record, snapshot: Snapshot, total_s: float) -> bool:
    if takeovers(record.changes, finisher_of(snapshot.fields)):
        return True
    ended, first = end_of(record), first_work(record.changes)
    if ended is None or first is None:
        return False
    return was_at_work_before(ended.moment, total_s, first.observed_at)


def finisher_of(fields: Mapping[str, str]) -> str:
    """The consumer that a final reading names.

    ``updated_by`` alone may be that of one which found the job ended when it took it.
    """
    return fields.get("identity_started") or fields.get("updated_by", "")


def end_of(record: Record, offset: Sequence[float] | None = None) -> End | None:
    """When a job ended, by the Kiosk's stamps where they fit what polls saw; None: not seen.

    ``offset``: the least and the most by which the consumer's clock is ahead, where it is known.
    """
    snapshot, before = record.snapshot or Snapshot(), record.observed_at
    after = record.observed_after if record.observed_after is not None else record.submitted_at
    if before is None or after is None:
        return None
    return end(snapshot.time("finished_at"), snapshot.time("updated_at"), offset, after, before)


def since_due_s(record: Record) -> float | None:
    """The duration from due of a job that ended; of a closed workload, from when it was taken."""
    ended = end_of(record) if record.outcome in ENDED else None
    if ended is None:
        return None
    due_at = record.ticket.due_at
    return ended.moment.at - (record.taken_at if due_at is None else due_at)


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
    found = end_of(record)
    if found is not None and record.submitted_at is not None:
        return max(0.0, found.moment.at - record.submitted_at), "observed"
    return None, None


def _images(record: Record, snapshot: Snapshot, *, zipped: bool) -> tuple[int, int]:
    """Images done and failed: a ZIP counts for its children, another job for one."""
    if record.outcome not in ENDED:
        return 0, 0
    if not zipped:
        return (0, 1) if record.outcome is Outcome.FAILED else (1, 0)
    done, failed = images_of_zip(snapshot, record.job_id)
    if record.outcome is Outcome.FAILED:  # no child that is not done will ever be
        children = children_of(snapshot, record.job_id).count
        is_empty = snapshot.fields.get("children") == ""
        failed = max(failed, children - done, 0 if done or is_empty else 1)
    return done, failed


def images_of_zip(snapshot: Snapshot, job_id: str) -> tuple[int, int]:
    """Images done and failed, as the hash of a ZIP has them."""
    failed = failed_children(snapshot)
    children = _children(snapshot, job_id)
    done = _keys(snapshot, "children:done")
    if not done:  # older consumers keep no lists: a time for each finished child is left
        done = len(timing(snapshot, "total_time"))
        done = min(done, children - failed) if children > failed else done
        if not done and not _is_listed(snapshot) and snapshot.status != "failed":
            done = max(0, children - failed)
    return done, failed


def why_no_image(snapshot: Snapshot, image_name: str, job_id: str) -> str:
    """Why a job that ended ``done`` made no image, where the Kiosk itself says so; else empty.

    It does so of ZIPs alone: their children are listed, and none is, or each of them failed.
    """
    if not (is_zip(image_name, job_id) or is_zip(image_name)):
        return ""
    done, failed = images_of_zip(snapshot, job_id)
    if done:
        return ""
    if failed:
        return f"the Kiosk made no image of it: {_all_failed(failed)}"
    if "children" in snapshot.fields and not _keys(snapshot, "children"):
        return (
            "the Kiosk made no image of it: it took no file in the ZIP for an image (those have an"
            " ending, and no __MACOSX in their path)"
        )
    return ""


def _all_failed(count: int) -> str:
    return "its only image failed" if count == 1 else f"all {count:,} of its images failed"


def _children(snapshot: Snapshot, job_id: str) -> int:
    """How many jobs the Kiosk made of a ZIP: its list of them, or else ``total_jobs``."""
    if "children" in snapshot.fields:  # of an empty list total_jobs says 1
        return children_of(snapshot, job_id).count
    return int(first_number(snapshot.fields.get("total_jobs")) or 0)


def _is_listed(snapshot: Snapshot) -> bool:
    """Tells whether the Kiosk keeps lists of the children that ended."""
    return "children" in snapshot.fields or "children:done" in snapshot.fields


def failed_children(snapshot: Snapshot) -> int:
    """Number of a ZIP's images that failed, from ``children:failed`` or else ``failures``.

    At least one where only the latter would tell, and it was too large to be read.
    """
    least = 1 if UNREAD in snapshot.fields else 0
    return _keys(snapshot, "children:failed") or image_failures.count(snapshot.fields) or least


def _keys(snapshot: Snapshot, name: str) -> int:
    return sum(1 for key in snapshot.fields.get(name, "").split(",") if key)
