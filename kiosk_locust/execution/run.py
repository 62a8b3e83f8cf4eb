"""A run: one ledger, its tickets cycle by cycle, and how it ends."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator

import gevent

from kiosk_locust.client.kiosk import Kiosk
from kiosk_locust.clock import Clock
from kiosk_locust.execution.bus import JobBus
from kiosk_locust.execution.executor import Share
from kiosk_locust.execution.ledger_gate import LedgerGate
from kiosk_locust.execution.run_state import RunState
from kiosk_locust.execution.ticket_queue import Tickets
from kiosk_locust.ledger.ledger import Ledger
from kiosk_locust.ledger.resume_state import Remains
from kiosk_locust.model import arrivals
from kiosk_locust.model.options import Options
from kiosk_locust.model.record import Outcome, Record, Ticket
from kiosk_locust.model.user_mix import Mix
from kiosk_locust.storage.transfers.downloads import Downloads
from kiosk_locust.storage.upload_stage import Uploader

logger = logging.getLogger(__name__)

#: A cycle's first job is due so long after the one before was over: its lease must be durable.
CYCLE_LEAD_S = 0.1


class Run(Share):
    """One run; of one that is resumed, what ``remains``, which is all of it by default."""

    def __init__(
        self,
        options: Options,
        state: RunState,
        *,
        ledger: Ledger,
        bus: JobBus,
        kiosk: Kiosk,
        clock: Clock,
        rng: random.Random,
        mix: Mix,
        remains: Remains | None = None,
        uploader: Uploader | None = None,
        downloads: Downloads | None = None,
    ) -> None:
        remains = remains or Remains(options)
        self._tickets = Tickets(remains.tickets, ledger.reopen)
        super().__init__(
            options,
            state,
            log=ledger,
            bus=bus,
            queue=self._tickets,
            gate=LedgerGate(ledger, state.stopping),
            kiosk=kiosk,
            clock=clock,
            rng=rng,
            mix=mix,
            recall=remains.recall,
            uploader=uploader,
            downloads=downloads,
        )
        self.ledger = ledger
        state.outcomes.update(remains.earlier.outcomes)
        self._remains = remains
        self._cycle = remains.begun
        self._cycles: gevent.Greenlet | None = None

    def start(self, zero_at: float) -> None:
        """Poll on what was submitted before, and begin the first cycle at ``zero_at``.

        From that moment (epoch seconds) due times count. Jobs of earlier sessions are waited for
        by users, as those of users that were ended are: no more than ``-u`` are in flight.
        """
        for record in self._remains.adopt():
            self._tickets.adopt(record.ticket)
            self._bus.adopted(record)
            self._adopt(record)
        self._cycles = gevent.spawn(self._run_cycles, zero_at)

    def _adopt(self, record: Record) -> None:
        """Have a job polled on that is there already."""
        self._users.leave(self._poll_on(record))

    @property
    def tickets(self) -> Tickets:
        """What hands out its tickets."""
        return self._tickets

    def planned(self, cycle: int, started_at: float) -> Iterator[Ticket]:
        """The tickets of a cycle that began at that moment (epoch seconds), in order."""
        return self._remains.tickets(cycle, started_at)

    # -- while it goes on

    def _run_cycles(self, started_at: float) -> None:
        for cycle in self._remains.cycles:
            self._cycle = cycle
            self.ledger.begin_cycle(cycle, started_at)
            self.state.begin_cycle(cycle, started_at)
            self._tickets.begin(cycle, started_at)
            self._tickets.wait_idle()
            if self.state.stopping.is_set():
                return
            now = self._clock.now()
            self.ledger.end_cycle(cycle, now)
            logger.info("cycle %d of %d is over", cycle, self.options.num_cycles)
            started_at = now + self.options.cycle_interval_s + CYCLE_LEAD_S
        self._finish_downloads(self.options.drain_timeout_s)
        self._before_all_closed()
        self.state.all_are_closed()

    # -- the end

    def _before_all_closed(self) -> None:
        """Every ticket is closed; whoever must be told of it is told here."""

    def _close_the_rest(self) -> None:
        """Close every ticket that no job was made for, and those of users that hang."""
        if self._cycles:
            self._cycles.kill()
        now = self._clock.now()
        self.ledger.end_cycle(self._cycle, now)
        if not self.options.count:
            self.ledger.forget_open()
        rest = self._count_unfinished(self._rest())
        reason = f"the run was ended by {self.state.ended_by} before it was submitted"
        try:
            self.ledger.close_never_leased(rest, Outcome.UNFINISHED, reason, now)
        except Exception as error:  # noqa: BLE001  a full disk: the end goes on
            self.state.fail(error)

    def _rest(self) -> Iterator[Ticket]:
        """Tickets of this cycle that are not closed, and those of cycles to come."""
        if not self.options.count:
            yield from self._tickets.held()
            return
        yield from self._tickets.left()
        for cycle in range(self._cycle + 1, self.options.num_cycles + 1):
            for ticket in arrivals.tickets(self.options, cycle, 0.0):
                yield Ticket(ticket.id, cycle, ticket.number, None, ticket.file)

    def _count_unfinished(self, rest: Iterator[Ticket]) -> Iterator[Ticket]:
        for ticket in rest:
            self.state.count_never_leased()
            yield ticket
