"""The master's end: it takes in what workers report, and deals tickets out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from kiosk_locust.distributed.leases import Fate, Leases, Lost, WorkerSession
from kiosk_locust.distributed.messages import (
    Drain,
    Fenced,
    Grant,
    Hello,
    Renewed,
    Reply,
    Report,
    Welcome,
)
from kiosk_locust.distributed.reliable_delivery import Receiver
from kiosk_locust.distributed.ticket_pool import Pool
from kiosk_locust.ledger.apply_event import add_attempt, apply, lost_attempt, unreported
from kiosk_locust.ledger.send_account import Statement
from kiosk_locust.model.record import Attempt, AttemptResult, Record, StatusChange, Upload
from kiosk_locust.model.ticket_events import (
    Closed,
    Entry,
    Returned,
    Submitted,
    Taken,
    TicketEvent,
    Tried,
)

#: A grant has at most so many tickets, so that no message is large.
MOST_GRANTED = 300


class MasterLog(Protocol):
    """What the master's end tells; what it says must be durable before replies are sent."""

    def leased(self, record: Record) -> None:
        """The ticket is about to be granted."""

    def happened(self, record: Record, event: TicketEvent) -> None:
        """``event`` was applied to ``record``: its owner's, or the best that we know."""

    def came_back(self, lost: Lost, attempt: Attempt | None) -> bool:
        """A ticket has lost its worker; with the attempt that may have been made.

        Returns whether it is to be handed out again; if not, it is closed by now.
        """

    def account_of(self, worker: str) -> Statement:
        """Read the account of a worker that was lost."""

    def forget(self, worker: str) -> None:
        """A worker was lost, and what it held was told before this."""

    def too_late(self, worker: str, ticket_id: int, event: TicketEvent) -> None:
        """An event of a ticket that is closed, or of a second job for one that has a job."""


class MasterProtocol:
    """One run's; workers are welcome from `begin` on."""

    def __init__(
        self,
        run_id: str,
        leases: Leases,
        pool: Pool,
        log: MasterLog,
        *,
        facts: Mapping[str, str],
    ) -> None:
        self.leases = leases
        self.terms = leases.terms
        self.pool = pool
        self.has_begun = False
        self._run_id = run_id
        self._log = log
        self._zero_at = 0.0
        self._facts = facts
        self._receivers: dict[str, Receiver] = {}
        self._drain: Drain | None = None
        self._to_answer: set[str] = set()
        self._to_fence: dict[str, Report] = {}
        self.is_starved = False  # tickets wait for workers with free users

    def begin(self, zero_at: float) -> None:
        """Begin the run; ``zero_at`` (epoch seconds) is what due times are sent as offsets from."""
        self._zero_at = zero_at
        self.has_begun = True

    def hello(self, worker: str, hello: Hello, received_at: float, now: float) -> Welcome:
        """Let a worker take part."""
        session = self.leases.hello(worker, now)
        self._receivers.setdefault(worker, Receiver())
        return Welcome(
            self._run_id,
            session.number,
            hello.asked_at,
            received_at,
            now,
            self._zero_at,
            self.terms,
            self._facts,
        )

    def receive(self, worker: str, report: Report, now: float) -> bool:
        """Take in a report; what is of another run, or of nobody known, is left alone: False."""
        receiver = self._receivers.get(worker)
        if report.run_id != self._run_id or receiver is None:
            return False
        session = self.leases.heard(worker, report, now)
        for entry in receiver.receive(report.batches):
            self._take_in(worker, entry, now)
        if session is None:
            self._to_fence[worker] = report
            return True
        self._to_answer.add(worker)
        if session.drained and self._drain is None:  # it leaves by itself
            self._lose_worker(worker, self.leases.end(session), now)
            self._to_fence[worker] = report  # so that it knows that it may go
        return True

    def drain(self, drain: Drain) -> None:
        """Deal no more, and tell every worker."""
        self._drain = drain
        self._to_answer.update(session.worker for session in self.leases.sessions)

    def lose_all(self, now: float) -> None:
        """Hear no worker any more; what one still holds, it may have submitted or yet submit."""
        for session in self.leases.sessions:
            self._lose_worker(session.worker, self.leases.end(session), now)

    @property
    def undrained(self) -> list[str]:
        """The workers that are alive and may still hold something."""
        return [s.worker for s in self.leases.sessions if not s.drained]

    def turn(self, now: float) -> list[tuple[str, Reply]]:
        """Look at the time and deal; what is returned may be sent once all is durable."""
        before = self.leases.sessions
        lost = self.leases.expire(now)
        for session in before:
            if not self.leases.is_on(session.worker):
                its = [one for one in lost if one.worker == session.worker]
                self._lose_worker(session.worker, its, now)
        grants = {} if self._drain else self._deal(now)
        replies = [(worker, self._fence(worker)) for worker in self._to_fence]
        self._to_fence.clear()
        for session in self.leases.sessions:
            grant = grants.get(session.worker)
            if session.worker in self._to_answer or grant:
                if grant is None and self.leases.to_send_again(session, now):
                    grant = session.granted
                    session.granted_at = now
                replies.append((session.worker, self._reply(session, grant)))
        self._to_answer.clear()
        return replies

    # -- events

    def _take_in(self, worker: str, entry: Entry, now: float) -> None:
        if self.leases.holds(worker, entry.session, entry.ticket_id):
            self._take_in_owners(worker, entry, now)
        elif not self._take_in_late(entry):
            self._log.too_late(worker, entry.ticket_id, entry.event)

    def _take_in_owners(self, worker: str, entry: Entry, now: float) -> None:
        owner = self.leases.owner(entry.ticket_id)
        if owner is None:
            return
        record = owner.held[entry.ticket_id]
        self._apply(record, entry.event)
        match entry.event:
            case Closed():
                self.leases.release(entry.ticket_id)
            case Returned():
                self.leases.release(entry.ticket_id)
                self._lose([Lost(worker, record, _fate(record))], now)

    def _take_in_late(self, entry: Entry) -> bool:
        """Take in an event of a ticket that was taken from its worker; False if it is too late."""
        ticket_id = entry.ticket_id
        waiting = self.pool.find(ticket_id)
        owner = self.leases.owner(ticket_id)
        record = owner.held[ticket_id] if owner else waiting
        if record is None:
            return isinstance(entry.event, Taken | Upload | StatusChange | Returned)
        match entry.event:
            case Tried():
                self._apply(record, entry.event)
            case Submitted() if waiting and not record.job_id:
                self._apply(record, entry.event)
                self.pool.put(record)  # now there is a job to adopt
            case Submitted():
                return record.job_id == entry.event.job_id
            case Closed() if entry.event.outcome.is_the_kiosks:  # the first final one wins
                self._apply(record, entry.event)
                self.pool.remove(ticket_id)
                self.leases.release(ticket_id)
        return True

    def _apply(self, record: Record, event: TicketEvent) -> None:
        self._log.happened(record, apply(record, event))

    # -- tickets

    def _lose_worker(self, worker: str, lost: list[Lost], now: float) -> None:
        """A worker's session is over; its account may know what became of what it held."""
        if any(one.fate is Fate.MAYBE for one in lost):
            account = self._log.account_of(worker)
            lost = [self._by_account(one, account, now) for one in lost]
        self._lose(lost, now)
        self._log.forget(worker)

    def _by_account(self, one: Lost, account: Statement, now: float) -> Lost:
        """A lost ticket with its fate by the account: submitted, open, or in doubt."""
        if one.fate is not Fate.MAYBE:
            return one
        ticket_id = one.record.ticket.id
        sent = [request for request in account.sent if request.ticket_id == ticket_id]
        for event in unreported(sent, one.record, now):
            self._apply(one.record, event)
        if one.record.job_id:
            return replace(one, fate=Fate.ADOPT)
        return one if sent or not account.is_complete else replace(one, fate=Fate.REOPEN)

    def _lose(self, lost: list[Lost], now: float) -> None:
        for one in lost:
            attempt = None
            if one.fate is not Fate.ADOPT:
                one.record.upload = None  # whoever gets it next uploads it again
            if one.fate is Fate.MAYBE:
                one.record.ambiguous = True
                attempt = add_attempt(one.record, lost_attempt(one.worker, now))
            if self._log.came_back(one, attempt):
                self.pool.put(one.record)

    def _deal(self, now: float) -> dict[str, Grant]:
        """Give each ticket to the ready worker with the fewest, within what it wants."""
        ready = [session for session in self.leases.sessions if session.is_ready]
        hands: dict[str, list[Record]] = {session.worker: [] for session in ready}

        def load(session: WorkerSession) -> int:
            return len(session.held) + len(hands[session.worker])

        while ready and (record := self.pool.take_job()):
            hands[min(ready, key=load).worker].append(record)
        lot_s = self.terms.lot_s
        before = (now + self.terms.horizon_s) // lot_s * lot_s
        while open_hands := [s for s in ready if len(hands[s.worker]) < _room(s)]:
            record = self.pool.take(before, now)
            if record is None:
                break
            hands[min(open_hands, key=load).worker].append(record)
        self.is_starved = bool(ready) and not open_hands
        for session in ready:
            if hand := hands[session.worker]:
                for record in hand:
                    self._log.leased(record)
                self.leases.grant(session, hand, now)
        return {s.worker: s.granted for s in ready if hands[s.worker] and s.granted}

    # -- replies

    def _reply(self, session: WorkerSession, grant: Grant | None) -> Reply:
        taken = self._receivers[session.worker].taken
        sent = grant and Grant(grant.number, tuple(map(self._as_offset, grant.records)))
        lease = Renewed(sent, self._drain, session.drained)
        return Reply(self._run_id, session.number, session.echo, taken, lease)

    def _fence(self, worker: str) -> Reply:
        report = self._to_fence[worker]
        taken = self._receivers[worker].taken
        return Reply(self._run_id, report.session, report.sent_at, taken, Fenced())

    def _as_offset(self, record: Record) -> Record:
        return shifted(record, -self._zero_at)


def shifted(record: Record, by_s: float) -> Record:
    """A copy of a record whose due time is moved."""
    ticket = record.ticket
    if ticket.due_at is None:
        return replace(record)
    return replace(record, ticket=replace(ticket, due_at=ticket.due_at + by_s))


def _room(session: WorkerSession) -> int:
    return min(session.wanted, MOST_GRANTED)


def _fate(record: Record) -> Fate:
    """Of a ticket that its worker gave back itself."""
    if record.job_id:
        return Fate.ADOPT
    maybe = any(attempt.result is AttemptResult.MAYBE for attempt in record.attempts)
    return Fate.MAYBE if maybe else Fate.REOPEN
