"""Who gets which ticket: users take them, cycle by cycle, until every one is closed."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator

from gevent.event import Event

from kiosk_locust.model.record import Ticket

TicketsOfCycle = Callable[[int, float], Iterator[Ticket]]


class Hand:
    """Tickets that were taken and are not closed, and those who wait for more.

    Whoever knows where tickets come from says whether there is ``_any_left``.
    """

    def __init__(self) -> None:
        self.takers = 0  # who wait in `take`
        self.stopped = False
        self._out: dict[int, Ticket] = {}  # taken and not closed
        self._more = Event()
        self._idle = Event()

    def adopt(self, ticket: Ticket) -> None:
        """A ticket was taken, and submitted, elsewhere or before this process began."""
        self._taken(ticket)

    def closed(self, ticket: Ticket) -> None:
        """A ticket that was taken is closed."""
        self._out.pop(ticket.id, None)
        self._check_idle()

    def held(self) -> list[Ticket]:
        """The tickets that were taken and are not closed."""
        return list(self._out.values())

    def stop(self) -> None:
        """Hand out no more; whoever waits for a ticket gets None."""
        self.stopped = True
        self.wake()
        self._check_idle()

    def wait_idle(self, timeout_s: float | None = None) -> bool:
        """Wait until none is out and none is left to take; whether that came in time."""
        self._check_idle()
        return bool(self._idle.wait(timeout_s))

    def wake(self) -> None:
        """Let all who wait for a ticket look again."""
        more, self._more = self._more, Event()
        more.set()

    def _wait_for_more(self) -> None:
        self.takers += 1
        try:
            self._more.wait()
        finally:
            self.takers -= 1

    def _taken(self, ticket: Ticket) -> Ticket:
        self._out[ticket.id] = ticket
        self._idle.clear()
        return ticket

    def _check_idle(self) -> None:
        if not self._out and (self.stopped or not self._any_left()):
            self._idle.set()

    def _any_left(self) -> bool:
        raise NotImplementedError


class Tickets(Hand):
    """The tickets of a run that are not closed yet.

    ``of_cycle(cycle, started_at)`` gives the tickets of a cycle in order, perhaps without end.
    ``reopen`` writes that a ticket was given back, before anybody can take it again.
    """

    def __init__(
        self, of_cycle: TicketsOfCycle, reopen: Callable[[Ticket], None] = lambda _: None
    ) -> None:
        super().__init__()
        self._of_cycle = of_cycle
        self._reopen = reopen
        self._coming: Iterator[Ticket] = iter(())
        self._next: Ticket | None = None  # read ahead, to know when none is left
        self._reopened: list[tuple[int, Ticket]] = []
        self.has_begun = False
        self.given_until = 0  # the number after the last ticket that was handed out
        self.on_horizon: Callable[[], None] = lambda: None  # called when the horizon comes near
        self._horizon: int | None = None
        self._near = 0

    @property
    def next(self) -> Ticket | None:
        """The one that comes next, of those that nobody had yet; None: none in this cycle."""
        return self._next

    def begin(self, cycle: int, started_at: float) -> None:
        """Hand out the tickets of ``cycle`` from now on."""
        self._coming = self._of_cycle(cycle, started_at)
        self._next = next(self._coming, None)
        self.has_begun = True
        self._idle.clear()
        self.wake()

    def take(self) -> Ticket | None:
        """The next ticket, waiting for one; None once there will be no more."""
        while not self.stopped:
            if self._reopened:
                return self._taken(heapq.heappop(self._reopened)[1])
            if self._next is not None and not self._is_held_back(self._next):
                return self._hand_out(self._next)
            self._wait_for_more()
        return None

    def take_due(self, before: float) -> Ticket | None:
        """The next ticket, if it is due before that moment or no time was promised; no waiting."""
        if self.stopped or self._next is None:
            return None
        if self._next.due_at is not None and self._next.due_at >= before:
            return None
        if self._is_held_back(self._next):
            return None
        return self._hand_out(self._next)

    def hold_from(self, horizon: int | None) -> None:
        """Hand out only tickets below ``horizon`` until the next call; None: all."""
        self._horizon = horizon
        if horizon is not None:
            self._near = (self.given_until + horizon) // 2
        self.wake()

    def give_back(self, ticket: Ticket) -> None:
        """A ticket that was taken and surely not submitted is open again."""
        self._reopen(ticket)
        self._out.pop(ticket.id, None)
        heapq.heappush(self._reopened, (ticket.id, ticket))
        self.wake()
        self._check_idle()

    def earliest(self) -> Ticket | None:
        """The first of the tickets that were given back and are not taken again."""
        return self._reopened[0][1] if self._reopened else None

    def left(self) -> Iterator[Ticket]:
        """The tickets of this cycle that are not closed, used up by reading."""
        yield from self.held()
        while self._reopened:
            yield heapq.heappop(self._reopened)[1]
        if self._next is not None:
            yield self._next
            yield from self._coming
            self._next = None

    def _is_held_back(self, ticket: Ticket) -> bool:
        if self._horizon is None:
            return False
        if ticket.id >= self._near:
            self.on_horizon()
        return ticket.id >= self._horizon

    def _hand_out(self, ticket: Ticket) -> Ticket:
        self._next = next(self._coming, None)
        self.given_until = ticket.id + 1
        return self._taken(ticket)

    def _any_left(self) -> bool:
        return self._next is not None or bool(self._reopened)
