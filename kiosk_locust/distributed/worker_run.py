"""The master's ledger and tickets as a worker sees them, and its share of the run."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass

import gevent
from gevent.event import Event

from kiosk_locust.client.kiosk import Kiosk
from kiosk_locust.clock import Clock
from kiosk_locust.codec import encode
from kiosk_locust.distributed.worker_protocol import URGENT, WorkerProtocol
from kiosk_locust.execution.bus import JobBus
from kiosk_locust.execution.executor import INTERRUPT_LIMIT_S, Share
from kiosk_locust.execution.job import Interrupted
from kiosk_locust.execution.run_state import RunState
from kiosk_locust.execution.ticket_queue import Hand
from kiosk_locust.formatting.json_text import dumps
from kiosk_locust.ledger.send_account import SendAccount
from kiosk_locust.model import image_failures
from kiosk_locust.model.job_metrics import Measures
from kiosk_locust.model.options import Options
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
from kiosk_locust.model.user_mix import Mix
from kiosk_locust.storage.transfers.downloads import Downloads
from kiosk_locust.storage.upload_stage import Uploader

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class GrantedTicket(Ticket):
    """A ticket with the session that it was granted in; in another one it is another's."""

    session: int


def granted(ticket: Ticket, session: int) -> GrantedTicket:
    """The ticket as of that session."""
    return GrantedTicket(
        ticket.id, ticket.cycle, ticket.number, ticket.due_at, ticket.file, session
    )


def session_of(ticket: Ticket) -> int:
    """In which session a ticket was granted."""
    assert isinstance(ticket, GrantedTicket)  # noqa: S101  a worker has no others
    return ticket.session


class RemoteTickets(Hand):
    """The tickets that were granted to this worker, in ``end``."""

    def __init__(self, end: WorkerProtocol) -> None:
        super().__init__()
        self.granted: dict[int, Record] = {}  # taken from the stock, by ticket
        self._end = end

    def take(self) -> Ticket | None:
        """The earliest granted ticket, waiting for one; None once there will be no more.

        It counts as a taker all the while: the master is asked for as many as are wanted.
        """
        self.takers += 1
        try:
            while not self.stopped:
                if record := self._end.stock.take():
                    self.granted[record.ticket.id] = record
                    return self._taken(granted(record.ticket, self._end.session))
                self._more.wait()
        finally:
            self.takers -= 1
        return None

    def give_back(self, ticket: Ticket) -> None:
        """Nobody here has it any more; another user may, or the master."""
        if session_of(ticket) == self._end.session:
            self._end.stock.put(self.granted.pop(ticket.id))
        self.closed(ticket)
        self.wake()

    def recall(self, record: Record) -> None:
        """Give the record of a granted ticket what was tried for it before."""
        if known := self.granted.get(record.ticket.id):
            record.attempts, record.ambiguous = list(known.attempts), known.ambiguous

    def closed(self, ticket: Ticket) -> None:
        """It is over here; a later session may have the same ticket again."""
        if self._out.get(ticket.id) is ticket:
            super().closed(ticket)

    def earliest(self) -> Ticket | None:
        """The first of those that no user has."""
        record = self._end.stock.earliest()
        return record.ticket if record else None

    def _any_left(self) -> bool:
        return False  # as far as this worker knows


class RemoteJobLog:
    """A `JobLog` whose ledger is the master's: what is written here is said to it."""

    def __init__(
        self, end: WorkerProtocol, clock: Callable[[], float], account: SendAccount | None = None
    ) -> None:
        self._end = end
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
        return (record.ticket.id, upload.name) in self._end.reused

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
            self._account.told(record, attempt.number, self._end.sender.said)

    def submit(self, record: Record) -> None:
        """It has a job id."""
        self._say(record.ticket, Submitted(record.job_id, record.submitted_at))
        if self._account:
            self._account.told(record, len(record.attempts), self._end.sender.said)

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
        return record.outcome is Outcome.UNFINISHED and not self._end.draining

    def downloaded(self, record: Record, download: Download) -> None:
        """The download of what a closed job made is over."""
        self._say(record.ticket, download)

    def expire_failed(self, record: Record) -> None:
        """Its hash could not be told to expire."""
        self._say(record.ticket, ExpireFailed(record.expire_error))

    def settle(self) -> None:
        """Return when the master holds what was said."""
        wanted = self._end.sender.said
        self._end.sender.hurry(self._now())
        while self._end.sender.acknowledged < wanted:
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
        for record in self._end.stock.empty():
            self.give_back(granted(record.ticket, self._end.session))

    def give_back(self, ticket: Ticket) -> None:
        """The master gets a ticket that no job was made for here."""
        self._say(ticket, Returned())

    def _say(self, ticket: Ticket, event: TicketEvent) -> None:
        self._end.say(Entry(session_of(ticket), ticket.id, event), self._now())
        if isinstance(event, URGENT):
            self._urgent.set()


class LeaseGate:
    """Open for a ticket while its session's lease holds, until ``stopping`` is set.

    ``own_clock`` is the worker's own: the master's may jump.
    """

    def __init__(
        self,
        end: WorkerProtocol,
        log: RemoteJobLog,
        own_clock: Callable[[], float],
        stopping: Event,
    ) -> None:
        self._end = end
        self._log = log
        self._own_clock = own_clock
        self._stopping = stopping

    def may_submit(self, ticket: Ticket) -> bool:
        """Tell if the run goes on and the lease holds."""
        if self._stopping.is_set():
            return False
        return self._end.may_submit(session_of(ticket), self._own_clock())

    def may_send(self, record: Record) -> bool:
        """The same right before a request, and note in the account that it is sent."""
        if not self.may_submit(record.ticket):
            return False
        self._log.about_to_send(record)
        return True

    def wait_open(self) -> None:
        """Return at once: a lease that lapsed never opens again for its tickets."""


class RemoteShare(Share):
    """A worker's share of a run, in which it takes part by ``end``.

    ``clock`` shows the master's time, ``own_clock`` the worker's. ``on_fault`` is called when it
    cannot go on here; the master then ends it everywhere.
    """

    def __init__(
        self,
        end: WorkerProtocol,
        *,
        options: Options,
        bus: JobBus,
        kiosk: Kiosk,
        clock: Clock,
        own_clock: Callable[[], float],
        on_fault: Callable[[], None],
        mix: Mix,
        uploader: Uploader | None = None,
        downloads: Downloads | None = None,
        account: SendAccount | None = None,
    ) -> None:
        self.protocol = end
        self.tickets = RemoteTickets(end)
        self.ledger = RemoteJobLog(end, own_clock, account)
        state = RunState()
        super().__init__(
            options,
            state,
            log=self.ledger,
            bus=bus,
            queue=self.tickets,
            gate=LeaseGate(end, self.ledger, own_clock, state.stopping),
            kiosk=kiosk,
            clock=clock,
            rng=random.Random(),
            mix=mix,
            recall=self.tickets.recall,
            uploader=uploader,
            downloads=downloads,
        )
        self._end = end
        self._on_fault = on_fault
        state.over.rawlink(self._tell_trouble)

    def adopt(self, record: Record) -> None:
        """Poll a job on that another worker has submitted."""
        record.ticket = granted(record.ticket, self._end.session)
        seen = [change.after for change in record.changes]
        record.observed_after = max((at for at in (*seen, record.submitted_at) if at), default=None)
        self.tickets.adopt(record.ticket)
        self._poll_on(record)

    def drop(self) -> None:
        """What it holds belongs to others now: it was taken for dead."""
        logger.warning("the master took this worker for dead; it begins anew")
        self._users.rouse_all()
        gevent.spawn(self._drop, tuple(self._jobs), self.tickets.held())

    def _drop(self, jobs: tuple[gevent.Greenlet, ...], held: list[Ticket]) -> None:
        interrupted = Interrupted("its worker was cut off")
        gevent.killall(jobs, interrupted, timeout=INTERRUPT_LIMIT_S)
        for ticket in held:  # jobs that had not begun yet could not say so
            self.tickets.closed(ticket)

    def _tell_trouble(self, _over: object) -> None:
        """Tell the master with the next report why this worker cannot go on."""
        self._end.fail(self.state.trouble)
        self._on_fault()

    def came(self) -> None:
        """Tickets may have come: those who wait may have them, or one that waits for a later."""
        self.ledger.acknowledged()
        if self._end.stock:
            self.tickets.wake()
            self._users.rouse_one()

    def drain(self, ended_by: str, grace_s: float) -> None:
        """As Share.drain; tickets that nobody has begun go back."""
        self.ledger.give_back_stock()
        super().drain(ended_by, grace_s)
        self.ledger.give_back_stock()
        self._end.finish()

    def _close_the_rest(self) -> None:
        """Users that hang may hold some; the master closes what was not begun."""
        for ticket in self.tickets.held():
            if ticket.id not in self._lives and session_of(ticket) == self._end.session:
                self.ledger.give_back(ticket)
