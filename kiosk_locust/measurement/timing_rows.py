"""What is read of a ticket in the ledger, and its times in groups: a row of ``temp.times``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from operator import itemgetter
from typing import Any, NamedTuple, TypedDict

from kiosk_locust.measurement.stages import PartTimes


class ClosedJob(NamedTuple):
    """A ticket as the ledger has it, with its attempt that was accepted; times in epoch seconds."""

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


NO_INTERRUPTION: Interruption = {
    "interruptions": None,
    "interrupted_s": None,
    "interrupted_error_s": None,
}
NOT_INTERRUPTED: Interruption = {**NO_INTERRUPTION, "interruptions": 0}
NO_ZIP: ZipTimes = {
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
