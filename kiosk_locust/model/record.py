"""What is planned, and what is known of it: tickets, requests, attempts, records."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from kiosk_locust.model.job_hash import Snapshot


class Outcome(StrEnum):
    """How a ticket was closed; a closed ticket has exactly one."""

    DONE = "done"
    PARTIAL = "partial"  # a ZIP that ended `done` with failed children
    FAILED = "failed"  # the Kiosk said so
    REJECTED = "rejected"  # the Kiosk refused the submission
    VANISHED = "vanished"  # its hash is gone
    TIMEOUT = "timeout"  # JOB_TIMEOUT passed
    UNFINISHED = "unfinished"  # the run was interrupted first
    ERROR = "error"  # we could not tell, and `reason` says why

    @property
    def is_the_kiosks(self) -> bool:
        """Whether the Kiosk ended it; other tickets are taken up when a run is resumed."""
        return self not in (Outcome.TIMEOUT, Outcome.UNFINISHED, Outcome.ERROR)


OUTCOMES = tuple(outcome.value for outcome in Outcome)


class AttemptResult(StrEnum):
    """What became of one request to submit a job."""

    ACCEPTED = "accepted"  # answered with a job id
    REFUSED = "refused"  # answered with a no; no job was made
    NOT_SENT = "not sent"  # surely never arrived
    MAYBE = "maybe"  # may have made a job that we cannot find


@dataclass(frozen=True, slots=True)
class Ticket:
    """One planned job. ``due_at`` is in epoch seconds, or None where no time was promised."""

    id: int
    cycle: int
    number: int
    due_at: float | None
    file: str


@dataclass(frozen=True, slots=True)
class JobRequest:
    """What ``POST /api/predict`` is asked for; empty strings leave the choice to the Kiosk.

    ``image_name`` picks the queue (that of ZIPs, if it ends so); ``uploaded_name`` is the path in
    the bucket.
    """

    job_type: str
    image_name: str
    uploaded_name: str
    model_name: str = ""
    model_version: str = ""
    preprocess: str = ""
    postprocess: str = ""
    scale: str = ""
    label: str = ""
    dimension_order: str = ""
    channels: str = ""
    segmentation_type: str = ""

    def of(self, file: str) -> JobRequest:
        """The same for another file in the same folder of the bucket."""
        folder = self.uploaded_name.removesuffix(self.image_name)
        return replace(self, image_name=file, uploaded_name=folder + file)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request to submit a job; times in epoch seconds, None where it did not happen."""

    number: int
    asked_at: float  # when it began to wait for a socket
    sent_at: float | None  # when the first byte was given to the socket
    received_at: float | None  # when the whole answer was there
    result: AttemptResult
    http_status: int | None = None
    error: str = ""
    job_id: str = ""


@dataclass(frozen=True, slots=True)
class Upload:
    """One upload of a ticket's file; times in epoch seconds. It failed if it has no ``name``."""

    began_at: float  # when the first byte was given to the socket, or to the bucket
    ended_at: float  # when the answer was there, or it failed
    size: int  # bytes of the file
    name: str = ""  # where it is in the bucket
    error: str = ""


@dataclass(frozen=True, slots=True)
class Download:
    """The download of what a job made, with all its tries; it failed if it has no ``path``."""

    began_at: float
    ended_at: float
    size: int  # bytes of the file
    tries: int
    path: str = ""  # on the machine whose process ran the job
    error: str = ""


@dataclass(frozen=True, slots=True)
class StatusChange:
    """A status, another consumer at work on an image or a ZIP's next phase, first seen by a poll.

    It began at some moment in (``after``, ``observed_at``] by our clock; ``updated_at`` is
    the server's own, an upper bound of it. All in epoch seconds. ``phase`` is one of
    `children.PHASES`, and empty of an image.
    """

    status: str
    observed_at: float
    after: float
    updated_at: float | None
    updated_by: str
    phase: str = ""


@dataclass(slots=True)
class Record:
    """All that is known of a ticket's job; grows while the job lives. Times in epoch seconds."""

    ticket: Ticket
    user_class: str
    request: JobRequest
    taken_at: float
    attempts: list[Attempt] = field(default_factory=list)
    ambiguous: bool = False
    upload: Upload | None = None  # of its file, once that is over
    job_id: str = ""
    submitted_at: float | None = None  # sent_at of the attempt that was accepted
    changes: list[StatusChange] = field(default_factory=list)
    polls: int = 0
    observed_after: float | None = None  # sent_at of the last poll that saw it not final
    observed_at: float | None = None  # received_at of the poll that saw it final
    snapshot: Snapshot | None = None
    outcome: Outcome | None = None
    reason: str = ""
    closed_at: float | None = None
    expire_error: str = ""

    @property
    def status(self) -> str:
        """The last status seen; empty before the first."""
        return self.changes[-1].status if self.changes else ""
