"""Where the time of one job went, from the moment it was due to its end."""

from __future__ import annotations

from typing import Literal, NamedTuple

from kiosk_locust.measurement.clocks import Bound
from kiosk_locust.model.job_metrics import Measures, end_of, is_zip, timing
from kiosk_locust.model.record import Attempt, AttemptResult, Record
from kiosk_locust.model.time_bounds import End, stamped

#: Parts that are all known must come to the whole within this share of it.
TOLERANCE = 0.01


class Parts(NamedTuple):
    """One after the other, in seconds; what is not known is None, never 0.

    ``unknown_s`` is what the known parts leave of the whole. Two times are told beside them: the
    HTTP time of the submission (``submission_http_s``), of which only the part up to the creation
    is on the way, since the queue wait begins while the answer still travels; and the polling
    delay (``detection_s``), which comes after the end.
    """

    since: Literal["due", "taken"]  # a closed workload promises no times
    whole_s: float
    lag_s: float | None  # due until it asked for a socket: waits for a user, refused attempts
    socket_wait_s: float | None
    creation_s: float | None  # first byte sent until the job's creation
    queue_wait_s: float | None
    interrupted_s: float | None  # work that was lost; 0: none was seen to be
    processing_s: float | None  # of an image; a ZIP has the three at the end in its place
    unknown_s: float
    submission_http_s: float | None
    detection_s: float | None  # its end until the answer of the poll that saw it
    of_zip: ZipWork | None = None

    @property
    def known(self) -> tuple[float | None, ...]:
        """The parts that are on the way, in order."""
        return (
            self.lag_s,
            self.socket_wait_s,
            self.creation_s,
            self.queue_wait_s,
            self.interrupted_s,
            *((self.processing_s,) if self.of_zip is None else self.of_zip),
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


class ZipWork(NamedTuple):
    """What comes after a ZIP's queue wait, in seconds; None: not known, or it did not begin."""

    unpacking_s: float | None
    children_s: float | None
    packing_s: float | None


class Work(NamedTuple):
    """How the time between a job's creation and its end is divided; seconds, None: not known.

    Of a ZIP ``of_zip`` stands for the processing.
    """

    queue_s: float | None = None
    interrupted_s: float | None = 0.0
    processing_s: float | None = None
    of_zip: ZipWork | None = None


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
    sent, ended = _accepted(record), end_of(record, consumer)
    start_at = record.ticket.due_at if record.ticket.due_at is not None else record.taken_at
    if record.observed_at is None or ended is None or sent is None or sent.sent_at is None:
        return None
    created_at = record.snapshot.time("created_at") if record.snapshot else None
    received_at = sent.sent_at if sent.received_at is None else sent.received_at
    created = stamped(created_at, frontend, sent.sent_at, received_at)
    return parts(
        "taken" if record.ticket.due_at is None else "due",
        start_at=start_at,
        asked_at=sent.asked_at,
        sent_at=sent.sent_at,
        received_at=sent.received_at,
        created_at=created.at if created.is_stamped else None,
        work=_work(record, found, duration_s),
        ended=ended,
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
    work: Work,
    ended: End,
    observed_at: float,
) -> Parts:
    """The parts between moments in the order in which they came, epoch seconds by our clock.

    ``work`` divides the time of a job between ``created_at`` and its end.
    """
    end_at = ended.moment.at
    between = (
        asked_at - start_at,
        sent_at - asked_at,
        None if created_at is None else created_at - sent_at,
        work.queue_s,
        work.interrupted_s,
        work.processing_s,
    )
    whole_s = end_at - start_at
    http_s = None if received_at is None else received_at - sent_at
    on_the_way = (*between, *(work.of_zip or ()))
    unknown_s = whole_s - sum([part for part in on_the_way if part is not None])
    detection_s = None if ended.source == "observed" else observed_at - end_at
    return Parts(since, whole_s, *between, unknown_s, http_s, detection_s, work.of_zip)


def _accepted(record: Record) -> Attempt | None:
    accepted = [each for each in record.attempts if each.result is AttemptResult.ACCEPTED]
    return accepted[-1] if accepted else None


def _work(record: Record, found: Measures, duration_s: float | None) -> Work:
    """Queue wait and work of an image; unknown of a ZIP, whose children overlap."""
    totals = timing(record.snapshot, "total_time") if record.snapshot else ()
    is_image = not is_zip(record.request.image_name, record.job_id)
    if not is_image or not totals or found.queue_wait_s is None or found.duration_s is None:
        return Work()
    whole_s = found.duration_s if duration_s is None else duration_s
    before_s = max(0.0, whole_s - totals[0])
    lost_s = max(0.0, found.duration_s - totals[0]) - found.queue_wait_s
    return Work(before_s - lost_s, lost_s, totals[0])
