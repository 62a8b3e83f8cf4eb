"""The master's side of leases: who may submit which ticket, and what becomes of the dead's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from kiosk_locust.distributed.messages import Grant, Report, Terms
from kiosk_locust.model.record import Record


class Fate(Enum):
    """The next owner of a ticket whose worker lost it."""

    ADOPT = "adopt"  # its job is known: somebody else polls it on
    REOPEN = "reopen"  # surely not submitted
    MAYBE = "maybe"  # it may have been submitted


@dataclass(frozen=True, slots=True)
class Lost:
    """A ticket that its worker lost."""

    worker: str
    record: Record
    fate: Fate


@dataclass(slots=True)
class WorkerSession:
    """A worker from its welcome until it is lost; what it holds is in ``held``, by ticket id."""

    worker: str
    number: int
    expires_at: float
    heard_at: float
    held: dict[int, Record] = field(default_factory=dict)
    echo: float = 0.0  # when the latest report was sent, by the worker's clock
    ask: int = 0  # the grant that it is ready for
    wanted: int = 0
    granted: Grant | None = None  # kept until the worker asks for the next one
    granted_at: float = 0.0
    drained: bool = False
    skew_s: float = 0.0
    skew_bound_s: float = 0.0

    @property
    def is_ready(self) -> bool:
        """True while it awaits a grant that was not made yet."""
        granted = self.granted.number if self.granted else 0
        return self.ask > granted and self.wanted >= 0 and not self.drained


class Leases:
    """The sessions that are alive, and which of them holds which ticket."""

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.workers_lost = 0  # died or fell silent
        self._sessions: dict[str, WorkerSession] = {}
        self._numbers: dict[str, int] = {}  # of each worker's latest session
        self._owners: dict[int, WorkerSession] = {}
        self._looked_at: float | None = None

    @property
    def sessions(self) -> list[WorkerSession]:
        """Those that are alive."""
        return list(self._sessions.values())

    def is_on(self, worker: str) -> bool:
        """True if a worker has a session that is alive."""
        return worker in self._sessions

    def hello(self, worker: str, now: float) -> WorkerSession:
        """The session of a worker: the one it has, or a new one."""
        session = self._sessions.get(worker)
        if session is None:
            number = self._numbers[worker] = self._numbers.get(worker, 0) + 1
            session = WorkerSession(worker, number, now + self.terms.lease_s, now)
            self._sessions[worker] = session
        return session

    def heard(self, worker: str, report: Report, now: float) -> WorkerSession | None:
        """Renew a worker's leases; None where the report is from a session that is over."""
        session = self._sessions.get(worker)
        if session is None or session.number != report.session:
            return None
        session.expires_at = max(session.expires_at, now + self.terms.lease_s)
        session.heard_at = now
        granted = session.granted.number if session.granted else 0
        session.drained |= report.drained and report.ask > granted  # it has seen the last grant
        session.skew_s, session.skew_bound_s = report.skew_s, report.skew_bound_s
        if report.sent_at >= session.echo and report.ask >= session.ask:  # not an overtaken one
            session.echo, session.ask, session.wanted = report.sent_at, report.ask, report.wanted
        return session

    def grant(self, session: WorkerSession, records: Iterable[Record], now: float) -> None:
        """Lease ``records`` to a session that is ready for them."""
        grant = Grant(session.ask, tuple(records))
        session.granted, session.granted_at = grant, now
        for record in grant.records:
            session.held[record.ticket.id] = record
            self._owners[record.ticket.id] = session

    def to_send_again(self, session: WorkerSession, now: float) -> bool:
        """True if the last grant seems to have been lost."""
        grant = session.granted
        if grant is None or session.ask != grant.number:
            return False
        return session.granted_at + self.terms.resend_s <= now

    def owner(self, ticket_id: int) -> WorkerSession | None:
        """The session that holds a ticket."""
        return self._owners.get(ticket_id)

    def holds(self, worker: str, session: int, ticket_id: int) -> bool:
        """True if that session of that worker holds a ticket."""
        owner = self._owners.get(ticket_id)
        return owner is not None and (owner.worker, owner.number) == (worker, session)

    def release(self, ticket_id: int) -> Record | None:
        """Nobody holds the ticket any more."""
        owner = self._owners.pop(ticket_id, None)
        return owner.held.pop(ticket_id) if owner else None

    def expire(self, now: float) -> list[Lost]:
        """End the sessions that were not heard of for too long; what they held is lost to them.

        Time in which nobody looked does not count: then it was the master that stood still.
        """
        terms = self.terms
        since, self._looked_at = self._looked_at, now
        still_s = 0.0 if since is None else max(0.0, now - since - terms.beat_s)
        lost: list[Lost] = []
        for session in self.sessions:
            session.expires_at += still_s
            if session.expires_at + terms.margin_s <= now:
                lost += self.end(session)
        return lost

    def end(self, session: WorkerSession) -> list[Lost]:
        """End a session, now that its worker can submit nothing any more."""
        del self._sessions[session.worker]
        self.workers_lost += not session.drained
        lost = [
            Lost(session.worker, record, self._fate(session, record))
            for record in session.held.values()
        ]
        for record in session.held.values():
            del self._owners[record.ticket.id]
        session.held = {}
        return lost

    def _fate(self, session: WorkerSession, record: Record) -> Fate:
        if record.job_id:
            return Fate.ADOPT
        if self.terms.uploads and record.upload is None:
            return Fate.REOPEN
        due_at = record.ticket.due_at
        last_moment = session.expires_at + self.terms.margin_s + session.skew_bound_s
        if due_at is not None and due_at > last_moment:
            return Fate.REOPEN
        return Fate.MAYBE
