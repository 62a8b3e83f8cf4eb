"""Log of a worker's jobs, whose ledger is the master's."""

from __future__ import annotations

from collections.abc import Callable

from gevent.event import Event

from kiosk_locust.codec import encode
from kiosk_locust.distributed.remote_tickets import granted, session_of
from kiosk_locust.distributed.worker_protocol import URGENT, WorkerProtocol
from kiosk_locust.formatting.json_text import dumps
from kiosk_locust.ledger.send_account import SendAccount
from kiosk_locust.model import image_failures
from kiosk_locust.model.job_metrics import Measures
from kiosk_locust.model.ports import ALREADY_DURABLE, AlreadyDurable
from kiosk_locust.model.record import (
    Attempt,
    AttemptResult,
    Download,
    Outcome,
    Record,
    StatusChange,
    Ticket,
    Upload,
)
from kiosk_locust.model.ticket_events import (
    Closed,
    Entry,
    ExpireFailed,
    Returned,
    Submitted,
    Taken,
    TicketEvent,
    Tried,
)


class RemoteJobLog:
    """A `JobLog` whose ledger is the master's: what is written here is said to it."""

    def __init__(
        self,
        protocol: WorkerProtocol,
        clock: Callable[[], float],
        account: SendAccount | None = None,
    ) -> None:
        self._protocol = protocol
        self._now = clock  # the worker's own, not the master's
        self._arrived = Event()
        self._urgent = Event()  # set when the next report is not to wait
        self._account = account  # of what is sent here

    def lease(self, record: Record) -> AlreadyDurable:
        """The master has leased it long ago; it learns what is to be submitted."""
        self._say(record.ticket, Taken(record.user_class, record.request, record.taken_at))
        return ALREADY_DURABLE

    def uploaded(self, record: Record, upload: Upload) -> None:
        """An upload of its file is over."""
        self._say(record.ticket, upload)

    def is_reused(self, record: Record, upload: Upload) -> bool:
        """As the master said it with its acknowledgement."""
        return (record.ticket.id, upload.name) in self._protocol.reused

    def about_to_send(self, record: Record) -> None:
        """The next request to submit it is sent right after this.

        The master may not have heard by then what is to be submitted.
        """
        if self._account:
            taken = Taken(record.user_class, record.request, record.taken_at)
            self._account.about_to_send(record, dumps(encode(taken)))

    def attempt(self, record: Record, attempt: Attempt) -> None:
        """One request to submit it has ended."""
        if self._account:
            self._account.ended(record, attempt)
        self._say(record.ticket, Tried(attempt, record.ambiguous))
        if self._account and attempt.result is AttemptResult.MAYBE:
            self._account.told(record, attempt.number, self._protocol.sender.said)

    def submit(self, record: Record) -> None:
        """It has a job id."""
        self._say(record.ticket, Submitted(record.job_id, record.submitted_at))
        if self._account:
            self._account.told(record, len(record.attempts), self._protocol.sender.said)

    def change(self, record: Record, change: StatusChange) -> None:
        """A poll saw a new status."""
        self._say(record.ticket, change)

    def close_ticket(self, record: Record, _measures: Measures) -> None:
        """It is closed; unfinished while the run goes on, it is for somebody else to finish."""
        if self.is_returned(record):
            self._say(record.ticket, Returned())
            return
        closed = Closed(
            record.job_id,
            record.outcome or Outcome.ERROR,
            record.reason,
            record.closed_at or 0.0,
            record.polls,
            record.observed_after,
            record.observed_at,
            image_failures.lighter(record.snapshot.fields) if record.snapshot else None,
        )
        self._say(record.ticket, closed)

    def is_returned(self, record: Record) -> bool:
        """Whether an end here is none: the run goes on without this worker."""
        return record.outcome is Outcome.UNFINISHED and not self._protocol.draining

    def downloaded(self, record: Record, download: Download) -> None:
        """The download of what a closed job made is over."""
        self._say(record.ticket, download)

    def expire_failed(self, record: Record) -> None:
        """Its hash could not be told to expire."""
        self._say(record.ticket, ExpireFailed(record.expire_error))

    def settle(self) -> None:
        """Return when the master holds what was said."""
        wanted = self._protocol.sender.said
        self._protocol.sender.hurry(self._now())
        while self._protocol.sender.acknowledged < wanted:
            self._arrived.wait()

    def acknowledged(self) -> None:
        """A reply has come: those who wait for what was said look again."""
        arrived, self._arrived = self._arrived, Event()
        arrived.set()

    def wait_for_urgent(self, timeout_s: float) -> bool:
        """Wait for an event that others wait for; False where there was none."""
        is_urgent = bool(self._urgent.wait(timeout_s))
        self._urgent.clear()
        return is_urgent

    def give_back_stock(self) -> None:
        """The master gets what no user has taken."""
        for record in self._protocol.stock.empty():
            self.give_back(granted(record.ticket, self._protocol.session))

    def give_back(self, ticket: Ticket) -> None:
        """The master gets a ticket that no job was made for here."""
        self._say(ticket, Returned())

    def _say(self, ticket: Ticket, event: TicketEvent) -> None:
        self._protocol.say(Entry(session_of(ticket), ticket.id, event), self._now())
        if isinstance(event, URGENT):
            self._urgent.set()
