"""What users and jobs need of a run's ledger and tickets, be these near or at a master.

Near are `Ledger` and `Tickets`; far, at a worker, `RemoteLedger` and `RemoteTickets`.
"""

from __future__ import annotations

from typing import Protocol

from kiosk_locust.model.record import Attempt, Download, Record, StatusChange, Ticket, Upload


class JobBook(Protocol):
    """What a job says of itself at once, and waits for; the rest goes by events."""

    def uploaded(self, record: Record, upload: Upload) -> None:
        """An upload of its file is over, or has failed."""

    def is_reused(self, record: Record, upload: Upload) -> bool:
        """Whether an earlier upload of this run has the same name; known once it is settled."""

    def about_to_send(self, record: Record) -> None:
        """The next request to submit it is sent right after this; see `send_account`."""

    def attempt(self, record: Record, attempt: Attempt) -> None:
        """One request to submit it has ended."""

    def expire_failed(self, record: Record) -> None:
        """Its hash could not be told to expire."""

    def settle(self, until: int | None = None) -> None:
        """Return when what was said is durable: all so far, or ``until`` a lease.

        Raises LedgerError if it cannot be.
        """

    @property
    def is_alive(self) -> bool:
        """Whether a job may be sent: the book's last durable sign of life is fresh."""

    def await_alive(self) -> None:
        """Return when a job may be sent; raises LedgerError if none may be any more."""


class TicketBook(JobBook, Protocol):
    """What users say of the tickets that they take."""

    def lease(self, record: Record) -> int:
        """Its job may be sent once ``settle`` has been called with what this returns."""

    def reopen(self, ticket: Ticket) -> None:
        """It was surely not submitted, and another user may take it."""


class EventBook(Protocol):
    """What is kept of a job's events."""

    def submit(self, record: Record) -> None:
        """The job has an id."""

    def change(self, record: Record, change: StatusChange) -> None:
        """A poll saw a new status."""

    def close_ticket(self, record: Record) -> None:
        """The ticket is closed with the record's outcome."""

    def downloaded(self, record: Record, download: Download) -> None:
        """What it made was downloaded, or could not be."""


class TicketSource(Protocol):
    """Where users get tickets, and bring them back."""

    @property
    def takers(self) -> int:
        """How many users wait in ``take``."""

    def take(self) -> Ticket | None:
        """The next ticket, waiting for one; None once there will be no more."""

    def adopt(self, ticket: Ticket) -> None:
        """A ticket was taken, and submitted, elsewhere or before this process began."""

    def give_back(self, ticket: Ticket) -> None:
        """A ticket that was taken and surely not submitted is open again."""

    def closed(self, ticket: Ticket) -> None:
        """A ticket that was taken is closed."""

    def earliest(self) -> Ticket | None:
        """The first of the tickets that are open and were promised to nobody here."""

    def stop(self) -> None:
        """Hand out no more; whoever waits for a ticket gets None."""

    def wait_idle(self, timeout_s: float | None = None) -> bool:
        """Wait until none is out and none is left to take; whether that came in time."""
