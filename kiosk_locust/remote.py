"""The master's ledger and tickets as a worker sees them, and the run that uses them."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import gevent
from gevent.event import Event

from kiosk_locust.clock import Clock
from kiosk_locust.delivery import Uploader
from kiosk_locust.job import Interrupted
from kiosk_locust.kiosk import Kiosk
from kiosk_locust.ledger import Ledger
from kiosk_locust.options import Options
from kiosk_locust.record import Attempt, Download, Outcome, Record, StatusChange, Ticket, Upload
from kiosk_locust.relay.messages import Drain, Hello, Reply, Welcome
from kiosk_locust.relay.news import Closed, Kind, News, Submitted, Taken, Tried
from kiosk_locust.relay.wire import decode, encode
from kiosk_locust.relay.worker import WorkerEnd
from kiosk_locust.run import INTERRUPT_LIMIT_S, Run, _Leased
from kiosk_locust.tickets import Tickets
from kiosk_locust.transfers.downloads import Downloads

logger = logging.getLogger(__name__)

#: How often a worker looks whether it has something to report.
TURN_S = 0.02

Send = Callable[[str, Any], None]


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


class RemoteTickets(Tickets):
    """The tickets that were granted to this worker."""

    def __init__(self) -> None:
        super().__init__(lambda _cycle, _started_at: iter(()))
        self.granted: dict[int, Record] = {}  # taken from the stock, by ticket
        self.end: WorkerEnd | None = None

    def take(self) -> Ticket | None:
        """The earliest granted ticket, waiting for one; None once there will be no more."""
        self.takers += 1
        try:
            while not self.stopped:
                if self.end and (record := self.end.stock.take()):
                    self.granted[record.ticket.id] = record
                    return self._taken(granted(record.ticket, self.end.session))
                self._more.wait()
        finally:
            self.takers -= 1
        return None

    def give_back(self, ticket: Ticket) -> None:
        """Nobody here has it any more; another user may, or the master."""
        if self.end and session_of(ticket) == self.end.session:
            self.end.stock.put(self.granted.pop(ticket.id))
        self.closed(ticket)
        self.wake()

    def closed(self, ticket: Ticket) -> None:
        """It is over here; a later session may have the same ticket again."""
        if self._out.get(ticket.id) is ticket:
            super().closed(ticket)

    def earliest(self) -> Ticket | None:
        """The first of those that no user has."""
        record = self.end.stock.earliest() if self.end else None
        return record.ticket if record else None

    def wake(self) -> None:
        """Let all who wait for a ticket look again."""
        self._wake()


class RemoteLedger:
    """Says to the master what a ledger would be told."""

    def __init__(self, end: WorkerEnd, tickets: RemoteTickets, clock: Callable[[], float]) -> None:
        self._end = end
        self._tickets = tickets
        self._now = clock  # the worker's own, not the master's
        self.arrived = Event()

    def lease(self, record: Record) -> int:
        """The master has leased it long ago; it learns what is to be submitted."""
        known = self._tickets.granted.get(record.ticket.id)
        if known:
            record.attempts, record.ambiguous = list(known.attempts), known.ambiguous
        taken = Taken(record.user_class, record.request, record.taken_at)
        self._say(Kind.TAKEN, record.ticket, taken=taken)
        return 0

    def reopen(self, ticket: Ticket) -> None:
        """It stays here: Tickets.give_back decides."""

    def uploaded(self, record: Record, upload: Upload) -> None:
        """An upload of its file is over."""
        self._say(Kind.UPLOADED, record.ticket, uploaded=upload)

    def attempt(self, record: Record, attempt: Attempt) -> None:
        """One request to submit it has ended."""
        self._say(Kind.TRIED, record.ticket, tried=Tried(attempt, record.ambiguous))

    def submit(self, record: Record) -> None:
        """It has a job id."""
        submitted = Submitted(record.job_id, record.submitted_at)
        self._say(Kind.SUBMITTED, record.ticket, submitted=submitted)

    def change(self, record: Record, change: StatusChange) -> None:
        """A poll saw a new status."""
        self._say(Kind.CHANGED, record.ticket, changed=change)

    def close_ticket(self, record: Record) -> None:
        """It is closed; unfinished while the run goes on, it is for somebody else to finish."""
        if self.is_returned(record):
            self._say(Kind.RETURNED, record.ticket)
            return
        closed = Closed(
            record.job_id,
            record.outcome or Outcome.ERROR,
            record.reason,
            record.closed_at or 0.0,
            record.polls,
            record.observed_after,
            record.observed_at,
            dict(record.snapshot.fields) if record.snapshot else None,
        )
        self._say(Kind.CLOSED, record.ticket, closed=closed)

    def is_returned(self, record: Record) -> bool:
        """Whether an end here is none: the run goes on without this worker."""
        return record.outcome is Outcome.UNFINISHED and not self._end.draining

    def downloaded(self, record: Record, download: Download) -> None:
        """The download of what a closed job made is over."""
        self._say(Kind.DOWNLOADED, record.ticket, downloaded=download)

    def expire_failed(self, record: Record) -> None:
        """Its hash could not be told to expire."""
        self._say(Kind.EXPIRE_FAILED, record.ticket, text=record.expire_error)

    def settle(self, until: int | None = None) -> None:
        """Return when the master holds what was said; a lease it holds already."""
        if until is not None:
            return
        wanted = self._end.sender.said
        self._end.sender.hurry(self._now())
        while self._end.sender.acknowledged < wanted:
            self.arrived.wait()

    @property
    def is_alive(self) -> bool:
        """The lease tells what may be sent: see RemoteRun._may_submit."""
        return True

    def await_alive(self) -> None:
        """It is; see ``is_alive``."""

    def give_back_stock(self) -> None:
        """The master gets what no user has taken."""
        for record in self._end.stock.empty():
            self.give_back(granted(record.ticket, self._end.session))

    def give_back(self, ticket: Ticket) -> None:
        """The master gets a ticket that no job was made for here."""
        self._say(Kind.RETURNED, ticket)

    def _say(self, kind: Kind, ticket: Ticket, **parts: Any) -> None:
        news = News(kind, session_of(ticket), ticket.id, **parts)
        self._end.say(news, self._now())


class RemoteRun(Run):
    """A worker's share of a run."""

    remote: RemoteLedger
    end: WorkerEnd
    tickets: RemoteTickets

    @classmethod
    def join(
        cls,
        end: WorkerEnd,
        tickets: RemoteTickets,
        *,
        options: Options,
        kiosk: Kiosk,
        clock: Clock,
        own_clock: Callable[[], float],
        on_fault: Callable[[], None],
        uploader: Uploader | None = None,
        downloads: Downloads | None = None,
    ) -> RemoteRun:
        """Take part in the run that ``end`` was welcomed to; ``clock`` shows the master's time.

        ``on_fault`` is called when it cannot go on here; the master then ends it everywhere.
        """
        remote = RemoteLedger(end, tickets, own_clock)
        run = cls(
            options,
            ledger=cast("Ledger", remote),  # what a worker's run needs of it is there
            kiosk=kiosk,
            clock=clock,
            rng=random.Random(),
            on_end=on_fault,
            uploader=uploader,
            downloads=downloads,
        )
        run._tickets = run.tickets = tickets
        run.remote, run.end, run._own_clock = remote, end, own_clock
        tickets.end = end
        return run

    _own_clock: Callable[[], float]

    def adopt(self, record: Record) -> None:
        """Poll a job on that another worker has submitted."""
        record.ticket = granted(record.ticket, self.end.session)
        seen = [change.after for change in record.changes]
        record.observed_after = max((at for at in (*seen, record.submitted_at) if at), default=None)
        self.tickets.adopt(record.ticket)
        self._jobs.spawn(self._live, _Leased(record, 0, ""))

    def drop(self) -> None:
        """What it holds belongs to others now: it was taken for dead."""
        logger.warning("the master took this worker for dead; it begins anew")
        for roused in tuple(self._sleepers.values()):
            roused.set()
        gevent.spawn(self._drop, tuple(self._jobs), self.tickets.held())

    def _drop(self, jobs: tuple[gevent.Greenlet, ...], held: list[Ticket]) -> None:
        interrupted = Interrupted("its worker was cut off")
        gevent.killall(jobs, interrupted, timeout=INTERRUPT_LIMIT_S)
        for ticket in held:  # jobs that had not begun yet could not say so
            self.tickets.closed(ticket)

    def fail(self, error: Exception) -> None:
        """As Run.fail; the master hears of it with the next report."""
        super().fail(error)
        self.end.trouble = self.trouble

    def came(self) -> None:
        """Tickets may have come: those who wait may have them, or one that waits for a later."""
        if self.end.stock:
            self.tickets.wake()
            self._rouse_one()

    def _may_submit(self, ticket: Ticket) -> bool:
        if not super()._may_submit(ticket):
            return False
        return self.end.may_submit(session_of(ticket), self._own_clock())

    def drain(self, ended_by: str, grace_s: float) -> None:
        """As Run.drain; tickets that nobody has begun go back."""
        self.remote.give_back_stock()
        super().drain(ended_by, grace_s)
        self.remote.give_back_stock()
        self.end.finished = True

    def _close_the_rest(self) -> None:
        """Users that hang may hold some; the master closes what was not begun."""
        for ticket in self.tickets.held():
            if ticket.id not in self._lives and session_of(ticket) == self.end.session:
                self.remote.give_back(ticket)


class Link:
    """Says hello until it is welcome, then reports; ``on_welcome`` makes the run."""

    def __init__(
        self, send: Send, own_clock: Callable[[], float], make: Callable[[WorkerEnd], RemoteRun]
    ) -> None:
        self.ready = Event()
        self.run: RemoteRun | None = None
        self._send = send
        self._now = own_clock
        self._make = make
        self._end: WorkerEnd | None = None
        self._asked: set[float] = set()
        self._greenlet = gevent.spawn(self._serve)
        self.welcome_facts: Welcome | None = None

    @property
    def options(self) -> Options:
        """The run's."""
        self.ready.wait()
        assert self.run is not None  # noqa: S101  set before it is ready
        return self.run.options

    def work(self, user_class: str, request_for: Any) -> None:
        """What a user does, once the run is known."""
        self.ready.wait()
        if self.run:
            self.run.work(user_class, request_for)

    def on_welcome(self, data: object) -> None:
        """The master has a run for us."""
        arrived_at = self._now()
        welcome = decode(Welcome, data)
        if welcome.asked_at not in self._asked:  # to somebody else's hello, or of an earlier run
            return
        if self._end is not None:
            self._end.welcome(welcome)
            return
        self.welcome_facts = welcome
        self._end = WorkerEnd(
            welcome,
            arrived_at,
            on_adopt=lambda record: self.run.adopt(record) if self.run else None,
            on_drain=self._on_drain,
            on_fenced=lambda: self.run.drop() if self.run else None,
        )
        gevent.spawn(self._begin, self._end)

    def _begin(self, end: WorkerEnd) -> None:
        self.run = self._make(end)
        self.ready.set()

    def on_reply(self, data: object) -> None:
        """The master answers a report."""
        if self._end is None or self.run is None:
            return
        self._end.receive(decode(Reply, data), self._now())
        arrived, self.run.remote.arrived = self.run.remote.arrived, Event()
        arrived.set()
        self.run.came()

    def close(self, timeout_s: float) -> None:
        """Wait until all is told, and go."""
        until = self._now() + timeout_s
        while self._end and self._end.session and not self._end.is_drained and self._now() < until:
            gevent.sleep(TURN_S)
        gevent.sleep(2 * TURN_S)  # the report that says so
        self._greenlet.kill()

    def _on_drain(self, drain: Drain) -> None:
        if self.run is None:
            return
        if drain.grace_s == 0:
            self.run.give_up()
        gevent.spawn(self.run.drain, drain.ended_by, drain.grace_s)

    def _serve(self) -> None:
        asked_at = -1e9
        while True:
            now = self._now()
            if (self._end is None or not self._end.session) and now - asked_at >= 0.5:
                asked_at = now
                self._asked.add(now)
                self._send("kiosk_hello", encode(Hello(now)))
            if self._end is not None and self.run is not None:
                report = self._end.report(now, self.run.tickets.takers)
                if report:
                    self._send("kiosk_report", encode(report))
            gevent.sleep(TURN_S)
