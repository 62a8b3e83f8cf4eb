"""Where the time of one job went, from the moment it was due to its end."""

from __future__ import annotations

from typing import TypedDict

from kiosk_locust.model.job_moments import WorkTimes, starts_at
from kiosk_locust.model.record import AttemptResult, Record
from kiosk_locust.model.time_bounds import End

#: Parts that are all known must come to the whole within this share of it.
TOLERANCE = 0.01
#: What is less is a rounding error: a float of epoch seconds is exact to a quarter of it.
_RESOLUTION_S = 1e-6


class PartTimes(TypedDict):
    """One after the other, in seconds; what is not known is None, never 0.

    ``unknown_s`` is what the known parts leave of the whole. Two times are told beside them: the
    HTTP time of the submission (``submission_http_s``), of which only the part up to the creation
    is on the way, since the queue wait begins while the answer still travels; and the polling
    delay (``detection_s``), which comes after the end.
    """

    lag_s: float | None  # due until it asked for a socket: waits for a user, refused attempts
    socket_wait_s: float | None
    submission_http_s: float | None
    creation_s: float | None  # first byte sent until the job's creation
    queue_wait_s: float | None
    processing_s: float | None  # of an image; a ZIP has the three of ZipWork in its place
    detection_s: float | None  # its end until the answer of the poll that saw it
    unknown_s: float | None
    unknown_share: float | None  # of the whole, from 0 to 1
    adds_up: bool | None  # parts that are all known come to the whole; None if one is not


NO_PARTS: PartTimes = {
    "lag_s": None,
    "socket_wait_s": None,
    "submission_http_s": None,
    "creation_s": None,
    "queue_wait_s": None,
    "processing_s": None,
    "detection_s": None,
    "unknown_s": None,
    "unknown_share": None,
    "adds_up": None,
}


def own_parts(record: Record, ended: End | None) -> PartTimes | None:
    """The parts on our side of a job that a poll saw ended, while a run goes on; None of another.

    When it was created, and what was done with it until its end, is left unknown: that needs the
    offsets of the Kiosk's clocks.
    """
    accepted = [each for each in record.attempts if each.result is AttemptResult.ACCEPTED]
    if record.observed_at is None or ended is None or not accepted or accepted[-1].sent_at is None:
        return None
    return part_times(
        start_at=starts_at(record.ticket.due_at, record.taken_at),
        asked_at=accepted[-1].asked_at,
        sent_at=accepted[-1].sent_at,
        received_at=accepted[-1].received_at,
        created_at=None,
        work=WorkTimes(),
        ended=ended,
        observed_at=record.observed_at,
    )


def part_times(
    *,
    start_at: float,
    asked_at: float,
    sent_at: float,
    received_at: float | None,
    created_at: float | None,
    work: WorkTimes,
    ended: End,
    observed_at: float,
) -> PartTimes:
    """The parts between moments in the order in which they came, epoch seconds by our clock.

    ``work`` divides the time of a job between ``created_at`` and its end.
    """
    end_at = ended.moment.at
    whole_s = end_at - start_at
    lag_s, socket_wait_s = asked_at - start_at, sent_at - asked_at
    creation_s = None if created_at is None else created_at - sent_at
    done = (work.processing_s,) if work.of_zip is None else work.of_zip
    on_the_way = (lag_s, socket_wait_s, creation_s, work.queue_s, work.interrupted_s, *done)
    unknown_s = whole_s - sum([part for part in on_the_way if part is not None])
    adds_up = None if None in on_the_way else abs(unknown_s) <= TOLERANCE * whole_s
    if abs(unknown_s) < _RESOLUTION_S:
        unknown_s = 0.0
    return {
        "lag_s": lag_s,
        "socket_wait_s": socket_wait_s,
        "submission_http_s": None if received_at is None else received_at - sent_at,
        "creation_s": creation_s,
        "queue_wait_s": work.queue_s,
        "processing_s": work.processing_s,
        "detection_s": None if ended.source == "observed" else observed_at - end_at,
        "unknown_s": unknown_s,
        "unknown_share": unknown_s / whole_s if whole_s > 0 else 0.0,
        "adds_up": adds_up,
    }
