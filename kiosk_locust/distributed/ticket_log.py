"""The master's log of what workers say of their tickets."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace

from kiosk_locust.distributed.leases import Fate, Lost
from kiosk_locust.distributed.reused_uploads import ReusedUploads
from kiosk_locust.distributed.ticket_pool import UNKNOWN
from kiosk_locust.distributed.worker_accounts import WorkerAccounts
from kiosk_locust.execution.bus import JobBus
from kiosk_locust.execution.job import Ending, write_closed
from kiosk_locust.execution.run_state import RunState
from kiosk_locust.execution.ticket_queue import Tickets
from kiosk_locust.ledger.ledger import Ledger
from kiosk_locust.ledger.send_account import Statement
from kiosk_locust.model.options import Options
from kiosk_locust.model.record import (
    Attempt,
    Download,
    Outcome,
    Record,
    StatusChange,
    Ticket,
    Upload,
)
from kiosk_locust.model.ticket_events import (
    Closed,
    ExpireFailed,
    Submitted,
    Taken,
    TicketEvent,
    Tried,
)

logger = logging.getLogger(__name__)


class TicketLog:
    """A `MasterLog`: writes to the ledger and publishes on the bus, as a job in a process does.

    ``recall`` gives the record of a ticket that was tried before what it had by then; ``now`` is
    the time (epoch seconds).
    """

    def __init__(
        self,
        options: Options,
        state: RunState,
        *,
        ledger: Ledger,
        bus: JobBus,
        tickets: Tickets,
        accounts: WorkerAccounts,
        uploads: ReusedUploads,
        recall: Callable[[Record], None],
        now: Callable[[], float],
    ) -> None:
        self.has_dealt = False  # a ticket was granted: the run has begun
        self._options = options
        self._state = state
        self._ledger = ledger
        self._bus = bus
        self._tickets = tickets
        self._accounts = accounts
        self._uploads = uploads
        self._recall = recall
        self._now = now

    def adopted(self, record: Record) -> None:
        """A job of an earlier session is to be polled on."""
        self._tickets.adopt(record.ticket)
        self._bus.adopted(record)

    def leased(self, record: Record) -> None:
        """The ticket is about to be granted; its row must be there before."""
        self.has_dealt = True
        if not record.attempts:
            self._recall(record)
        if not record.job_id:
            self._lease_again(record)

    def happened(self, record: Record, event: TicketEvent) -> None:
        """Write and publish an event, as a job in this process would."""
        match event:
            case Taken() if not record.job_id:
                self._ledger.taken(record)
            case Upload():
                self._ledger.uploaded(record, event)
                self._uploads.add(record, event.name)
            case Tried():
                self._ledger.attempt(record, event.attempt)
            case Submitted():
                self._guard(_write_then_publish, self._ledger.submit, self._bus.submitted, record)
            case StatusChange():
                self._guard(
                    _write_then_publish, self._ledger.change, self._bus.status, record, event
                )
            case Closed():
                self._count_closed(record)

    def came_back(self, lost: Lost, attempt: Attempt | None) -> bool:
        """A ticket lost its worker: it is adopted, open again, or closed if so wanted."""
        record = lost.record
        self._uploads.forget(record.ticket.id)
        if attempt:
            logger.warning("ticket %d: %s", record.ticket.id, attempt.error)
            self._ledger.attempt(record, attempt)
            if self._options.on_ambiguous == "close":
                self._close(record, Ending(Outcome.ERROR, attempt.error))
                return False
        if lost.fate is not Fate.ADOPT:
            self._ledger.reopen(record.ticket)
        return True

    def account_of(self, worker: str) -> Statement:
        """Read the account of a worker that was lost."""
        return self._accounts.read(worker)

    def forget(self, worker: str) -> None:
        """Drop the account of a worker of which no request is open any more."""
        self._accounts.forget(worker)

    def too_late(self, worker: str, ticket_id: int, event: TicketEvent) -> None:
        """Keep as a note what came too late to count."""
        ticket = Ticket(ticket_id, 0, 0, None, "")
        record = Record(ticket, "", UNKNOWN, 0.0)
        match event:
            case ExpireFailed():
                self._ledger.expire_failed(replace(record, expire_error=event.error))
            case Download():
                self._ledger.downloaded(record, event)
            case Submitted() | Closed():
                text = f"worker {worker} said too late: {type(event).__name__.lower()}, {event}"
                self._ledger.note(text, self._now(), ticket)

    def close_unfinished(self, records: Iterable[Record]) -> None:
        """Close the tickets that no worker could answer for, if something was done for them.

        The others of a run without a count are struck off; the rest of a plan is closed later.
        """
        reason = f"the run was ended by {self._state.ended_by}"
        for record in records:
            if record.job_id or record.attempts:
                self._close(record, Ending(Outcome.UNFINISHED, reason))
            elif not self._options.count:
                self._tickets.closed(record.ticket)

    def _lease_again(self, record: Record) -> None:
        """Write its row anew, with what was known before."""
        self._ledger.lease(record)
        for attempt in record.attempts:
            self._ledger.attempt(record, attempt)

    def _guard(self, write: Callable[..., None], *args: object) -> None:
        """Call ``write``; an error that it raises ends the run, and not the report it came in."""
        try:
            write(*args)
        except Exception as error:  # noqa: BLE001  other news of the same message must not be lost
            self._state.fail(error)

    def _close(self, record: Record, ending: Ending) -> None:
        record.outcome, record.reason = ending
        record.closed_at = self._now()
        self._count_closed(record)

    def _count_closed(self, record: Record) -> None:
        self._guard(write_closed, record, self._ledger, self._bus)
        self._uploads.forget(record.ticket.id)
        self._state.count(record.outcome)
        self._tickets.closed(record.ticket)


def _write_then_publish(
    write: Callable[..., None], publish: Callable[..., None], *event: object
) -> None:
    """Publish an event once it is written."""
    write(*event)
    publish(*event)
