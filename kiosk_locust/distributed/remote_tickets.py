"""Tickets that its master granted to a worker, as the worker's users take them."""

from __future__ import annotations

from dataclasses import dataclass

from kiosk_locust.distributed.worker_protocol import WorkerProtocol
from kiosk_locust.execution.ticket_queue import Hand
from kiosk_locust.model.record import Record, Ticket


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
    """The tickets that were granted to this worker, in ``protocol``."""

    def __init__(self, protocol: WorkerProtocol) -> None:
        super().__init__()
        self.granted: dict[int, Record] = {}  # taken from the stock, by ticket
        self._protocol = protocol

    def take(self) -> Ticket | None:
        """The earliest granted ticket, waiting for one; None once there will be no more.

        It counts as a taker all the while: the master is asked for as many as are wanted.
        """
        self.takers += 1
        try:
            while not self.stopped:
                if record := self._protocol.stock.take():
                    self.granted[record.ticket.id] = record
                    return self._taken(granted(record.ticket, self._protocol.session))
                self._more.wait()
        finally:
            self.takers -= 1
        return None

    def give_back(self, ticket: Ticket) -> None:
        """Nobody here has it any more; another user may, or the master."""
        if session_of(ticket) == self._protocol.session:
            self._protocol.stock.put(self.granted.pop(ticket.id))
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
        record = self._protocol.stock.earliest()
        return record.ticket if record else None

    def _any_left(self) -> bool:
        return False  # as far as this worker knows
