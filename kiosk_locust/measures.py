"""What a job took and how many images it made, from its record; pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

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


@dataclass(frozen=True, slots=True)
class Measures:
    """Durations in seconds; what is not known is None, never zero."""

    duration_s: float | None
    duration_from: DurationSource | None
    queue_wait_s: float | None
    images_done: int
    images_failed: int


def is_zip(image_name: str) -> bool:
    """Whether the Kiosk treats a file of this name as a ZIP of images."""
    return image_name.lower().endswith(".zip")


def timing(snapshot: Snapshot, name: str) -> tuple[float, ...]:
    """The numbers in field ``name``, in seconds: one for an image, one a child for a ZIP.

    Parts that are no finite number of at least 0 are left out.
    """
    numbers = []
    for part in snapshot.fields.get(name, "").split(","):
        try:
            number = float(part)
        except ValueError:
            continue
        if math.isfinite(number) and number >= 0:
            numbers.append(number)
    return tuple(numbers)


def measure(record: Record) -> Measures:
    """The measures of a record, as far as its last snapshot and observations tell them."""
    snapshot = record.snapshot or Snapshot()
    duration_s, source = _duration(record, snapshot)
    done, failed = _images(record, snapshot)
    queue_wait_s = None
    totals = timing(snapshot, "total_time")
    if duration_s is not None and totals and not is_zip(record.request.image_name):
        queue_wait_s = duration_s - totals[0]
    return Measures(duration_s, source, queue_wait_s, done, failed)


def _duration(
    record: Record, snapshot: Snapshot
) -> tuple[float | None, DurationSource | None]:
    """The server's own duration where it gave one, else what the polls saw."""
    if not snapshot.is_final:
        return None, None
    created = snapshot.time("created_at")
    sources: tuple[DurationSource, ...] = ("finished_at", "updated_at")
    for source in sources:
        ended = snapshot.time(source)
        if created is not None and ended is not None:
            return ended - created, source
    if record.observed_at is not None and record.submitted_at is not None:
        return record.observed_at - record.submitted_at, "observed"
    return None, None


def _images(record: Record, snapshot: Snapshot) -> tuple[int, int]:
    """Images done and failed: a ZIP counts for its children, another job for one."""
    if record.outcome not in (Outcome.DONE, Outcome.PARTIAL, Outcome.FAILED):
        return 0, 0
    if not is_zip(record.request.image_name):
        return (1, 0) if record.outcome is Outcome.DONE else (0, 1)
    failed = failed_children(snapshot)
    done = _keys(snapshot, "children:done")
    if not done and not failed:  # older consumers keep no lists: a time for each child is left
        done = len(timing(snapshot, "total_time"))
    return done, failed


def failed_children(snapshot: Snapshot) -> int:
    """How many of a ZIP's images failed, from ``children:failed`` or else ``failures``."""
    listed = _keys(snapshot, "children:failed")
    return listed or sum(1 for part in snapshot.fields.get("failures", "").split("&") if part)


def _keys(snapshot: Snapshot, name: str) -> int:
    return sum(1 for key in snapshot.fields.get(name, "").split(",") if key)
