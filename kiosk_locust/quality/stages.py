"""Where the time of one job went, from the moment it was due to the poll that saw its end."""

from __future__ import annotations

from typing import Literal, NamedTuple

from kiosk_locust.measures import Measures, is_zip, timing
from kiosk_locust.quality.clocks import Bound
from kiosk_locust.record import Attempt, AttemptResult, Record

#: Parts that are all known must come to the whole within this share of it.
TOLERANCE = 0.01


class Parts(NamedTuple):
    """One after the other, in seconds; what is not known is None, never 0.

    ``unknown_s`` is what the known parts leave of the whole. The HTTP time of the submission
    (``submission_http_s``) is told beside them: only its first part, up to the creation, is on
    the way, since the queue wait begins while the answer still travels.
    """

    since: Literal["due", "taken"]  # a closed workload promises no times
    whole_s: float
    lag_s: float | None  # due until it asked for a socket: waits for a user, refused attempts
    socket_wait_s: float | None
    creation_s: float | None  # first byte sent until the job's creation
    queue_wait_s: float | None  # of an image; a ZIP's children overlap
    processing_s: float | None  # of an image
    detection_s: float | None  # its end until the answer of the poll that saw it
    unknown_s: float
    submission_http_s: float | None

    @property
    def known(self) -> tuple[float | None, ...]:
        """The parts that are on the way, in order."""
        return (
            self.lag_s,
            self.socket_wait_s,
            self.creation_s,
            self.queue_wait_s,
            self.processing_s,
            self.detection_s,
        )

    @property
    def unknown_share(self) -> float:
        """Of the whole, from 0 to 1."""
        return self.unknown_s / self.whole_s if self.whole_s > 0 else 0.0

    @property
    def adds_up(self) -> bool | None:
        """Whether parts that are all known come to the whole within 1 %; None if one is not."""
        if None in self.known:
            return None
        return abs(self.unknown_s) <= TOLERANCE * self.whole_s


def decompose(
    record: Record,
    found: Measures,
    frontend: Bound | None = None,
    consumer: Bound | None = None,
    duration_s: float | None = None,
) -> Parts | None:
    """The parts of a job that a poll saw ended; None of any other.

    ``frontend`` and ``consumer`` are the offsets of the clocks that stamped its creation and
    its end; without them, the server's clocks are taken for ours where that does not
    contradict our own times, and the parts that need them are unknown where it does.
    ``duration_s`` is the job's duration where it was corrected for its clocks.
    """
    sent = _accepted(record)
    start_at = record.ticket.due_at if record.ticket.due_at is not None else record.taken_at
    if record.observed_at is None or sent is None or sent.sent_at is None:
        return None
    created = _stamp(record, "created_at")
    ended = _stamp(record, _ending(found))
    queue_s, processing_s = _work(record, found, duration_s)
    return parts(
        "taken" if record.ticket.due_at is None else "due",
        start_at=start_at,
        asked_at=sent.asked_at,
        sent_at=sent.sent_at,
        received_at=sent.received_at,
        created_at=ours(created, frontend, sent.sent_at, sent.received_at),
        queue_s=queue_s,
        processing_s=processing_s,
        ended_at=ours(ended, consumer, record.observed_after, record.observed_at),
        observed_at=record.observed_at,
    )


def parts(
    since: Literal["due", "taken"],
    *,
    start_at: float,
    asked_at: float,
    sent_at: float,
    received_at: float | None,
    created_at: float | None,
    queue_s: float | None,
    processing_s: float | None,
    ended_at: float | None,
    observed_at: float,
) -> Parts:
    """The parts between moments in the order in which they came, epoch seconds by our clock.

    ``queue_s`` and ``processing_s`` are the two of a job between ``created_at`` and ``ended_at``.
    """
    between = (
        asked_at - start_at,
        sent_at - asked_at,
        None if created_at is None else created_at - sent_at,
        queue_s,
        processing_s,
        None if ended_at is None else observed_at - ended_at,
    )
    whole_s = observed_at - start_at
    http_s = None if received_at is None else received_at - sent_at
    unknown_s = whole_s - sum([part for part in between if part is not None])
    return Parts(since, whole_s, *between, unknown_s, http_s)


def _accepted(record: Record) -> Attempt | None:
    accepted = [each for each in record.attempts if each.result is AttemptResult.ACCEPTED]
    return accepted[-1] if accepted else None


def _ending(found: Measures) -> str:
    return found.duration_from if found.duration_from in ("finished_at", "updated_at") else ""


def _stamp(record: Record, name: str) -> float | None:
    return record.snapshot.time(name) if record.snapshot and name else None


def ours(
    stamp: float | None, offset: Bound | None, after: float | None, before: float | None
) -> float | None:
    """A server's stamp by our clock, kept between the moments that we know it lies between.

    None without a stamp, and without an offset where the stamp lies outside of them.
    """
    if stamp is None or after is None or before is None:
        return None
    if after <= stamp <= before and (offset is None or offset.low_s <= 0 <= offset.high_s):
        return stamp
    if offset is None or offset.is_empty:
        return None
    return min(before, max(after, stamp - offset.offset_s))


def _work(
    record: Record, found: Measures, duration_s: float | None
) -> tuple[float | None, float | None]:
    """Queue wait and processing of an image; unknown of a ZIP, whose children overlap."""
    totals = timing(record.snapshot, "total_time") if record.snapshot else ()
    if not totals or is_zip(record.request.image_name, record.job_id):
        return None, None
    if duration_s is not None:
        return max(0.0, duration_s - totals[0]), totals[0]
    return found.queue_wait_s, totals[0] if found.queue_wait_s is not None else None
