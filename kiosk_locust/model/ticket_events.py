"""Events of a ticket at a worker, and the numbered batches in which its master gets them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kiosk_locust.model.record import (
    Attempt,
    Download,
    JobRequest,
    Outcome,
    StatusChange,
    Upload,
)


@dataclass(frozen=True, slots=True)
class Taken:
    """A user has the ticket and will submit ``request``.

    A worker's account keeps it, too, so its fields are part of that file's form.
    """

    user_class: str
    request: JobRequest
    taken_at: float


@dataclass(frozen=True, slots=True)
class Tried:
    """One request to submit it has ended; ``ambiguous`` is the record's flag from then on."""

    attempt: Attempt
    ambiguous: bool


@dataclass(frozen=True, slots=True)
class Submitted:
    """It has a job."""

    job_id: str
    submitted_at: float | None


@dataclass(frozen=True, slots=True)
class Closed:
    """Its job has ended: the id of that job, and everything that the end adds to a record."""

    job_id: str
    outcome: Outcome
    reason: str
    closed_at: float
    polls: int
    observed_after: float | None
    observed_at: float | None
    fields: Mapping[str, str] | None  # of the last reading of its hash


@dataclass(frozen=True, slots=True)
class Returned:
    """The worker gives it up: open, or with a job that somebody else is to adopt."""


@dataclass(frozen=True, slots=True)
class ExpireFailed:
    """The hash of its job could not be told to expire."""

    error: str


#: An upload and a download are events once they are over, a status once a poll saw it.
TicketEvent = (
    Taken | Upload | Tried | Submitted | StatusChange | Closed | Returned | Download | ExpireFailed
)


@dataclass(frozen=True, slots=True)
class Entry:
    """An event of a ticket, in the session in which its worker held it."""

    session: int
    ticket_id: int
    event: TicketEvent


@dataclass(frozen=True, slots=True)
class Batch:
    """Entries in the order of their events; numbers count from 1 for each worker and run."""

    number: int
    entries: tuple[Entry, ...]
