"""Count of the tickets that have become due by a run's schedule."""

from __future__ import annotations

from collections.abc import Iterator

from kiosk_locust.execution.run_state import RunState
from kiosk_locust.execution.ticket_queue import TicketsOfCycle
from kiosk_locust.model.record import Ticket


class Moments:
    """The first and the last of many moments (epoch seconds), and their number."""

    def __init__(self) -> None:
        self.count = 0
        self._first = self._last = 0.0

    def add(self, moment: float) -> None:
        """Take in one."""
        self._first = min(self._first, moment) if self.count else moment
        self._last = max(self._last, moment) if self.count else moment
        self.count += 1

    @property
    def rate_per_s(self) -> float | None:
        """There are n - 1 gaps between n moments; None where there is no telling."""
        span_s = self._last - self._first
        return (self.count - 1) / span_s if self.count > 1 and span_s > 0 else None


class DueCounter:
    """Counts due tickets, cycle by cycle, until the run is ended; ``moments`` has their rate.

    ``planned`` gives the tickets of a cycle that began at a moment (epoch seconds), in order.
    """

    def __init__(self, state: RunState, planned: TicketsOfCycle) -> None:
        self.moments = Moments()
        self._state = state
        self._planned = planned
        self._coming: Iterator[Ticket] = iter(())
        self._next: Ticket | None = None
        self._cycle: tuple[int, float] | None = None

    def until(self, now: float) -> Iterator[float]:
        """Due times (epoch seconds) up to ``now`` that no call before has given, in order."""
        if self._state.ended_by:
            return
        begun = self._state.cycle_begun
        if begun and begun != self._cycle:
            yield from self._of_cycle(now)  # the cycle before
            self._cycle = begun
            self._coming = self._planned(*begun)
            self._next = next(self._coming, None)
        yield from self._of_cycle(now)

    def _of_cycle(self, now: float) -> Iterator[float]:
        while self._next is not None and self._next.due_at is not None and self._next.due_at <= now:
            self.moments.add(self._next.due_at)
            yield self._next.due_at
            self._next = next(self._coming, None)
