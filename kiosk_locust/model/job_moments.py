"""Rules by which the time of a job is divided, of a record and of a ledger's row alike; pure.

They are defined in docs/reference/definitions.md and docs/reference/definitions-zip.md. The offsets
of the Kiosk's clocks are known at the end of a run only: while it goes on, its stamps are taken as
they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar

from kiosk_locust.model.interruptions import began, first_work, takeovers, was_at_work_before
from kiosk_locust.model.job_hash import parse_time
from kiosk_locust.model.record import StatusChange
from kiosk_locust.model.time_bounds import End, Moment, OffsetOf, end

Taken = TypeVar("Taken", float, float | None)


class Polled(Protocol):
    """A job as its submission and its polls have it, in epoch seconds: a Record, or a row."""

    @property
    def submitted_at(self) -> float | None:
        """The first byte of the submission that was accepted was sent."""

    @property
    def observed_after(self) -> float | None:
        """The last poll that did not see the end was sent; None: there was none."""

    @property
    def observed_at(self) -> float | None:
        """The answer of the poll that saw the end was there."""


class JobMoments(NamedTuple):
    """The moments of a job by our clock, and the Kiosk's stamps; epoch seconds, None: not known."""

    submitted_at: float | None
    observed_after: float | None
    observed_at: float | None
    created_at: float | None
    finished_at: float | None
    updated_at: float | None

    @classmethod
    def of(cls, job: Polled, fields: Mapping[str, str]) -> JobMoments:
        """The moments of a job whose hash has these fields."""
        submitted_at = job.submitted_at
        return cls(
            submitted_at,
            submitted_at if job.observed_after is None else job.observed_after,
            job.observed_at,
            parse_time(fields.get("created_at", "")),
            parse_time(fields.get("finished_at", "")),
            parse_time(fields.get("updated_at", "")),
        )

    def end(self, offset: Sequence[float] | None = None) -> End | None:
        """The job's end, by the Kiosk's stamps where they fit what polls saw; None: not seen.

        ``offset``: the least and the most by which the consumer's clock is ahead, where known.
        """
        if self.observed_at is None or self.observed_after is None:
            return None
        return end(self.finished_at, self.updated_at, offset, self.observed_after, self.observed_at)


class LostWork(NamedTuple):
    """Work on an image that was lost: how often, and when the first consumer began."""

    times: int = 0
    began: Moment | None = None


class ZipWork(NamedTuple):
    """What comes after a ZIP's queue wait, in seconds; None: not known, or it did not begin."""

    unpacking_s: float | None
    children_s: float | None
    packing_s: float | None


class WorkTimes(NamedTuple):
    """How the time between a job's creation and its end is divided; seconds, None: not known.

    Of a ZIP ``of_zip`` stands for the processing.
    """

    queue_s: float | None = None
    interrupted_s: float | None = 0.0
    processing_s: float | None = None
    of_zip: ZipWork | None = None


NO_LOSS = LostWork()


def no_offset(_clock: str, _moment: float) -> None:
    """The offset of a clock while a run goes on: it is not known."""


def starts_at(due_at: float | None, taken_at: Taken) -> float | Taken:
    """When a job's user expected it to begin; a closed workload promises no time."""
    return taken_at if due_at is None else due_at


def lost_work(
    changes: Sequence[StatusChange],
    finisher: str,
    ended: Moment | None,
    total_s: float | None,
    offset_of: OffsetOf = no_offset,
) -> LostWork:
    """The work on an image that was lost because consumers died, as far as polls tell.

    ``changes`` are what polls saw, in order; ``finisher`` is the consumer that the final reading
    names, ``total_s`` what it worked, and ``ended`` its end.
    """
    first = first_work(changes)
    if first is None:
        return NO_LOSS
    was_early = was_at_work_before(ended, total_s, first.observed_at)
    times = max(takeovers(changes, finisher), int(was_early))
    if not times:
        return NO_LOSS
    return LostWork(times, began(first, offset_of(first.updated_by, first.observed_at)))


def divide(
    stamped_s: float | None, total_s: float | None, created_at: float | None, lost: LostWork
) -> WorkTimes:
    """Queue wait, lost work and processing of an image.

    ``stamped_s`` is the duration by the Kiosk's stamps, and ``total_s`` what its last consumer
    worked on it, counted from the dequeue. Two machines' clocks can make what is left slightly
    negative; it is no wait then, and leaving such jobs out would push every percentile up.
    """
    before_s = None if total_s is None or stamped_s is None else max(0.0, stamped_s - total_s)
    if not lost.times:
        return WorkTimes(before_s, 0.0, None if before_s is None else total_s)
    if created_at is None or lost.began is None:
        return WorkTimes(None, None, total_s)
    queue_s = max(0.0, lost.began.at - created_at)
    if before_s is None:
        return WorkTimes(queue_s, None, None)
    queue_s = min(queue_s, before_s)
    return WorkTimes(queue_s, before_s - queue_s, total_s)
