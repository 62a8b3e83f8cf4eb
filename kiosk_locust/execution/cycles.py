"""Cycles of a run: their tickets one after the other, and what is never leased of them."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from kiosk_locust.clock import Clock
from kiosk_locust.execution.run_state import RunState
from kiosk_locust.execution.ticket_queue import Tickets
from kiosk_locust.ledger.ledger import Ledger
from kiosk_locust.ledger.resume_state import Remains
from kiosk_locust.model import arrivals
from kiosk_locust.model.options import Options
from kiosk_locust.model.record import Outcome, Ticket

logger = logging.getLogger(__name__)

#: A cycle's first job is due so long after the one before was over: its lease must be durable.
CYCLE_LEAD_S = 0.1


class Cycles:
    """Goes through the cycles of a run, of which ``remains`` has what is left."""

    def __init__(
        self,
        options: Options,
        state: RunState,
        *,
        ledger: Ledger,
        tickets: Tickets,
        remains: Remains,
        clock: Clock,
    ) -> None:
        self._options = options
        self._state = state
        self._ledger = ledger
        self._tickets = tickets
        self._remains = remains
        self._clock = clock
        self._cycle = remains.begun

    def planned(self, cycle: int, started_at: float) -> Iterator[Ticket]:
        """The tickets of a cycle that began at that moment (epoch seconds), in order."""
        return self._remains.tickets(cycle, started_at)

    def run(self, started_at: float) -> bool:
        """Hand out cycle after cycle, the first from ``started_at`` (epoch seconds).

        Returns True once every ticket is closed, False if the run is stopped before.
        """
        for cycle in self._remains.cycles:
            self._cycle = cycle
            self._ledger.begin_cycle(cycle, started_at)
            self._state.begin_cycle(cycle, started_at)
            self._tickets.begin(cycle, started_at)
            self._tickets.wait_idle()
            if self._state.stopping.is_set():
                return False
            now = self._clock.now()
            self._ledger.end_cycle(cycle, now)
            logger.info("cycle %d of %d is over", cycle, self._options.num_cycles)
            started_at = now + self._options.cycle_interval_s + CYCLE_LEAD_S
        return True

    def close_rest(self) -> None:
        """Close every ticket that no job was made for, and those of users that hang."""
        now = self._clock.now()
        self._ledger.end_cycle(self._cycle, now)
        if not self._options.count:
            self._ledger.forget_open()
        rest = self._count_unfinished(self._rest())
        reason = f"the run was ended by {self._state.ended_by} before it was submitted"
        try:
            self._ledger.close_never_leased(rest, Outcome.UNFINISHED, reason, now)
        except Exception as error:  # noqa: BLE001  a full disk: the end goes on
            self._state.fail(error)

    def _rest(self) -> Iterator[Ticket]:
        """Tickets of this cycle that are not closed, and those of cycles to come."""
        if not self._options.count:
            yield from self._tickets.held()
            return
        yield from self._tickets.left()
        for cycle in range(self._cycle + 1, self._options.num_cycles + 1):
            for ticket in arrivals.tickets(self._options, cycle, 0.0):
                yield Ticket(ticket.id, cycle, ticket.number, None, ticket.file)

    def _count_unfinished(self, rest: Iterator[Ticket]) -> Iterator[Ticket]:
        for ticket in rest:
            self._state.count_never_leased()
            yield ticket
