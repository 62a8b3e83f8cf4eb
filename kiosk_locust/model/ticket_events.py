"""What happened to tickets at a worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from kiosk_locust.model.record import Attempt, Download, JobRequest, Outcome, StatusChange, Upload


class Kind(StrEnum):
    """Which part of a ticket's life a piece of news tells."""

    TAKEN = "taken"  # a user has it, and knows what it will submit
    UPLOADED = "uploaded"  # an upload of its file is over
    TRIED = "tried"  # one request to submit it has ended
    SUBMITTED = "submitted"  # it has a job id
    CHANGED = "changed"  # a poll saw a new status
    CLOSED = "closed"
    RETURNED = "returned"  # the worker gives it up: open, or for somebody to adopt
    DOWNLOADED = "downloaded"  # a closed job's result, or not
    EXPIRE_FAILED = "expire failed"


@dataclass(frozen=True, slots=True)
class Taken:
    """Who has it and what it will submit."""

    user_class: str
    request: JobRequest
    taken_at: float


@dataclass(frozen=True, slots=True)
class Tried:
    """One request to submit it; ``ambiguous`` is what the record then says."""

    attempt: Attempt
    ambiguous: bool


@dataclass(frozen=True, slots=True)
class Submitted:
    """Its job."""

    job_id: str
    submitted_at: float | None


@dataclass(frozen=True, slots=True)
class Closed:
    """Everything that the end of a job adds to its record, and which job that was."""

    job_id: str
    outcome: Outcome
    reason: str
    closed_at: float
    polls: int
    observed_after: float | None
    observed_at: float | None
    fields: Mapping[str, str] | None  # of the last reading of its hash


@dataclass(frozen=True, slots=True)
class News:
    """One thing that happened to a ticket, in the session that held it; one part is not None."""

    kind: Kind
    session: int
    ticket_id: int
    taken: Taken | None = None
    tried: Tried | None = None
    submitted: Submitted | None = None
    changed: StatusChange | None = None
    closed: Closed | None = None
    text: str = ""
    uploaded: Upload | None = None
    downloaded: Download | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """News in the order in which they happened; numbers count from 1 for each worker and run."""

    number: int
    news: tuple[News, ...]
