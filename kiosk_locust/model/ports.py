"""Interfaces that jobs run on, and by which they are observed (`JobObserver`, `RunObserver`).

Users and jobs run on `JobLog`, `SubmissionGate` and `TicketQueue`.
In the process that owns the ledger these are `Ledger`, `LedgerGate` and `Tickets`; at a worker,
whose ledger is its master's, `RemoteJobLog`, `LeaseGate` and `RemoteTickets`.

The order of these calls is what makes each ticket run exactly once: the lease is durable before
anything is sent for it, the upload of its file before the job is submitted, and the closed record
is written before observers hear of it and durable before the hash of its job may expire.
"""

from __future__ import annotations

from typing import ClassVar, Protocol

from kiosk_locust.model.job_metrics import Measures
from kiosk_locust.model.record import Attempt, Download, Record, StatusChange, Ticket, Upload


class Durable(Protocol):
    """Something written that becomes durable."""

    def wait(self) -> None:
        """Return when it is on the ledger's disk; raises LedgerError if it cannot be."""


class AlreadyDurable:
    """A `Durable` that was on the disk before: a lease that the master granted, or an old job's."""

    __slots__ = ()

    def wait(self) -> None:
        """Return at once."""


ALREADY_DURABLE = AlreadyDurable()


class JobLog(Protocol):
    """The account of what happens to tickets; a job writes to it, then tells observers.

    Calls return at once and are kept in their order. A process that dies loses at most what was
    written after the last ``settle`` that returned.
    """

    def lease(self, record: Record) -> Durable:
        """Write that the record's ticket is taken, and what is to be submitted for it.

        Nothing may be sent for the ticket before ``wait`` of the returned value has returned.
        """

    def uploaded(self, record: Record, upload: Upload) -> None:
        """Write an upload of its file, ended or failed.

        The job may be submitted once that is settled and ``is_reused`` says no.
        """

    def is_reused(self, record: Record, upload: Upload) -> bool:
        """Tell if an earlier upload of the run has the same name; to be asked once it is settled.

        Raises LedgerError.
        """

    def attempt(self, record: Record, attempt: Attempt) -> None:
        """Write one request to submit the job, once it has ended.

        One that may have arrived must be settled before the next one is sent.
        """

    def submit(self, record: Record) -> None:
        """Write the job's id."""

    def change(self, record: Record, change: StatusChange) -> None:
        """Write a new status that a poll saw."""

    def close_ticket(self, record: Record, measures: Measures) -> None:
        """Write the record's outcome and measures; the first ones of a ticket count.

        Its job's hash may be told to expire once that is settled.
        """

    def downloaded(self, record: Record, download: Download) -> None:
        """Write a download of what a closed job made, ended or failed."""

    def expire_failed(self, record: Record) -> None:
        """Write why the hash of a closed job was not told to expire."""

    def settle(self) -> None:
        """Return when all that was written is durable; raises LedgerError if it cannot be."""


class SubmissionGate(Protocol):
    """Permission to submit jobs: withheld while whoever owns the ledger could be another."""

    def may_submit(self, ticket: Ticket) -> bool:
        """Tell if the ticket's job is to be submitted here; once it is not, it never is again."""

    def may_send(self, record: Record) -> bool:
        """Tell if the next request may be sent; to be asked right before its first byte.

        A yes stands in the process's account of what it sends, so that whoever takes over after
        its death knows that the request may have arrived.
        """

    def wait_open(self) -> None:
        """Return when there is a reason to ask again; raises LedgerError if there never will be."""


class JobObserver:
    """An observer of the jobs of one run; a subclass overrides what it needs to hear of.

    Each call comes after the event was written into the `JobLog`, in the greenlet that wrote it.
    """

    def on_adopted(self, record: Record, /) -> None:
        """Take in a job that an earlier session of the run submitted."""

    def on_submitted(self, record: Record, /) -> None:
        """Take in that a job was accepted; its id is known."""

    def on_status(self, record: Record, change: StatusChange, /) -> None:
        """Take in a status that a poll saw first."""

    def on_closed(self, record: Record, measures: Measures, /) -> None:
        """Take in that a ticket is closed, and what its job took."""

    def on_downloaded(self, record: Record, download: Download, /) -> None:
        """Take in that a download of what a closed job made has ended, well or not."""


class JobPublisher(Protocol):
    """Tells observers what happens to the jobs of a run; see `kiosk_locust.execution.bus`."""

    def add(self, observer: JobObserver, *, is_essential: bool = False) -> None:
        """Tell ``observer`` of all that happens from now on."""


class RunObserver(JobObserver):
    """An observer of one run from its start to its end; a subclass overrides what it needs."""

    is_essential: ClassVar[bool] = False  # what it raises in an event of a job ends the run

    def attach(self, bus: JobPublisher) -> None:
        """Have all events of the run's jobs told, before it starts."""
        bus.add(self, is_essential=self.is_essential)

    def start(self, zero_at: float) -> None:
        """Begin to observe; the first job is due at ``zero_at`` (epoch seconds)."""

    def stop(self) -> None:
        """Observe no more: every ticket is closed, or the run was given up before it started."""


class TicketQueue(Protocol):
    """The tickets that users of a process take, and bring back."""

    @property
    def takers(self) -> int:
        """Number of users that wait in ``take``."""

    def take(self) -> Ticket | None:
        """Hand out the next ticket, waiting for one; None once there will be no more.

        A ticket is out until it is given back or closed, and nobody else gets it meanwhile.
        """

    def adopt(self, ticket: Ticket) -> None:
        """Count a ticket as out that was taken, and submitted, elsewhere or earlier."""

    def give_back(self, ticket: Ticket) -> None:
        """Offer a ticket again that was taken and surely not submitted."""

    def closed(self, ticket: Ticket) -> None:
        """Strike off a ticket that was taken: its record is closed."""

    def earliest(self) -> Ticket | None:
        """Look at the first of the tickets that may be taken again and that no user has."""

    def stop(self) -> None:
        """Hand out no more; whoever waits for a ticket gets None."""

    def wait_idle(self, timeout_s: float | None = None) -> bool:
        """Wait until no ticket is out and none is left to take; False if that took too long."""
