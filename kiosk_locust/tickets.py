"""Who gets which ticket: users take them, cycle by cycle, until every one is closed."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator

from gevent.event import Event

from kiosk_locust.record import Ticket

TicketsOfCycle = Callable[[int, float], Iterator[Ticket]]


class Tickets:
    """The tickets of a run that are not closed yet.

    ``of_cycle(cycle, started_at)`` gives the tickets of a cycle in order, perhaps without end.
    """

    def __init__(self, of_cycle: TicketsOfCycle) -> None:
        self._of_cycle = of_cycle
        self._coming: Iterator[Ticket] = iter(())
        self._next: Ticket | None = None  # read ahead, to know when none is left
        self._reopened: list[tuple[int, Ticket]] = []
        self._more = Event()
        self.stopped = False
        self.out = 0  # taken and not closed
        self._idle = Event()

    def begin(self, cycle: int, started_at: float) -> None:
        """Hand out the tickets of ``cycle`` from now on."""
        self._coming = self._of_cycle(cycle, started_at)
        self._next = next(self._coming, None)
        self._idle.clear()
        self.wake()

    def adopt(self) -> None:
        """One was taken, and submitted, before this process began."""
        self.out += 1
        self._idle.clear()

    def take(self) -> Ticket | None:
        """The next ticket, waiting for one; None once there will be no more."""
        while not self.stopped:
            if self._reopened:
                return self._taken(heapq.heappop(self._reopened)[1])
            if self._next is not None:
                ticket, self._next = self._next, next(self._coming, None)
                return self._taken(ticket)
            self._more.wait()
        return None

    def give_back(self, ticket: Ticket) -> None:
        """A ticket that was taken and surely not submitted is open again."""
        self.out -= 1
        heapq.heappush(self._reopened, (ticket.id, ticket))
        self.wake()
        self._check_idle()

    def has_before(self, ticket: Ticket) -> bool:
        """Whether one was given back that comes before ``ticket``."""
        return bool(self._reopened) and self._reopened[0][0] < ticket.id

    def wait_for_news(self, timeout_s: float) -> None:
        """Wait until one is given back, more come or none will, or ``wake`` is called."""
        self._more.wait(timeout_s)

    def wake(self) -> None:
        """Let all who wait here look again."""
        more, self._more = self._more, Event()
        more.set()

    def closed(self, _ticket: Ticket) -> None:
        """A ticket that was taken is closed."""
        self.out -= 1
        self._check_idle()

    def stop(self) -> None:
        """Hand out no more; whoever waits for a ticket gets None."""
        self.stopped = True
        self.wake()
        self._check_idle()

    def wait_idle(self, timeout_s: float | None = None) -> bool:
        """Wait until none is out and none is left to take; whether that came in time."""
        self._check_idle()
        return bool(self._idle.wait(timeout_s))

    def left(self) -> Iterator[Ticket]:
        """The tickets of this cycle that were never closed, used up by reading."""
        while self._reopened:
            yield heapq.heappop(self._reopened)[1]
        if self._next is not None:
            yield self._next
            yield from self._coming
            self._next = None

    def _taken(self, ticket: Ticket) -> Ticket:
        self.out += 1
        self._idle.clear()
        return ticket

    def _check_idle(self) -> None:
        none_left = self.stopped or (self._next is None and not self._reopened)
        if none_left and self.out == 0:
            self._idle.set()
