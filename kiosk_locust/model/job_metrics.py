"""What a job took and how many images it made, from its record; pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from kiosk_locust.model import image_failures
from kiosk_locust.model.interruptions import finisher_of
from kiosk_locust.model.job_hash import UNREAD, Snapshot
from kiosk_locust.model.job_moments import JobMoments, divide, lost_work, starts_at
from kiosk_locust.model.record import Attempt, AttemptResult, Outcome, Record
from kiosk_locust.model.time_bounds import End, Source
from kiosk_locust.model.zip_children import children_of

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


class Measures(NamedTuple):
    """Durations in seconds; what is not known is None, never zero.

    They go by the Kiosk's stamps as they are, since the offsets of its clocks are known at the
    end of a run only; `measurement.job_timings` corrects them. ``stages`` has the seconds by each
    of STAGES, of an image at most one each; empty tuples of a job that did not end.

    A ZIP that failed as a whole and whose files nobody counted has one failed image: at least
    so many are missing.
    """

    duration_s: float | None = None
    duration_from: Source | None = None
    end: End | None = None  # None: not seen
    since_due_s: float | None = None  # in a closed workload, since it was taken
    queue_wait_s: float | None = None
    images_done: int = 0
    images_failed: int = 0
    stages: Mapping[str, tuple[float, ...]] = MappingProxyType(dict.fromkeys(STAGES, ()))


#: Those of a job that did not end.
NOTHING = Measures()


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


def is_never_begun(record: Record) -> bool:
    """True of a ticket that the run's end closed before anything of it was sent."""
    was_sent = any(attempt.result is not AttemptResult.NOT_SENT for attempt in record.attempts)
    is_unfinished = record.outcome is Outcome.UNFINISHED
    return is_unfinished and not (record.job_id or was_sent or record.upload)


def measure(record: Record) -> Measures:
    """The measures of a closed record, as far as its last snapshot and observations tell them."""
    if record.outcome not in ENDED:
        return NOTHING
    snapshot = record.snapshot or Snapshot()
    zipped = is_zip(record.request.image_name, record.job_id)
    moments = JobMoments.of(record, snapshot.fields)
    end = moments.end()
    duration_s, source = _duration(moments, end) if snapshot.is_final else (None, None)
    times = stage_times(snapshot, zipped=zipped)
    queue_wait_s = None
    if duration_s is not None and not zipped:
        total_s = times["total"][0] if times["total"] else None
        ended = end and end.moment
        lost = lost_work(record.changes, finisher_of(snapshot.fields), ended, total_s)
        stamped_s = None if source == "observed" else duration_s
        if stamped_s is not None and total_s is not None:  # else nothing bounds two clocks' skew
            queue_wait_s = divide(stamped_s, total_s, moments.created_at, lost).queue_s
    start_at = starts_at(record.ticket.due_at, record.taken_at)
    done, failed = _images(record, snapshot, zipped=zipped)
    return Measures(
        duration_s,
        source,
        end,
        None if end is None else end.moment.at - start_at,
        queue_wait_s,
        done,
        failed,
        {"queue_wait": () if queue_wait_s is None else (queue_wait_s,), **times},
    )


def _duration(moments: JobMoments, end: End | None) -> tuple[float | None, Source | None]:
    """The server's own duration where it gave one, else what the polls saw."""
    created_at, finished_at, updated_at = moments[3:]
    if created_at is not None:
        if finished_at is not None and finished_at >= created_at:
            return finished_at - created_at, "finished_at"
        if updated_at is not None and updated_at >= created_at:
            return updated_at - created_at, "updated_at"
    if end is not None and moments.submitted_at is not None:
        return max(0.0, end.moment.at - moments.submitted_at), "observed"
    return None, None


def submission_lag_s(record: Record) -> float | None:
    """Seconds from when a job was due until it began to be submitted: its upload, where it has one.

    What an earlier session of the run tried for it does not count. None of a job that was due at
    no time, or for which nothing was sent in this session.
    """
    due_at, tries = record.ticket.due_at, tries_of_session(record)
    if due_at is None or not tries:
        return None
    return (record.upload.began_at if record.upload else tries[0].asked_at) - due_at


def tries_of_session(record: Record) -> list[Attempt]:
    """The attempts to submit a job in the session of the run that took its ticket."""
    return [attempt for attempt in record.attempts if attempt.asked_at >= record.taken_at]


def _images(record: Record, snapshot: Snapshot, *, zipped: bool) -> tuple[int, int]:
    """Images done and failed: a ZIP counts for its children, another job for one."""
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
