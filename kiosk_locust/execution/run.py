"""A run whose jobs live in this process: its tickets cycle by cycle, and an executor of jobs."""

from __future__ import annotations

import random

from gevent.pool import Group

from kiosk_locust.client.kiosk import Kiosk
from kiosk_locust.clock import Clock
from kiosk_locust.execution.bus import JobBus
from kiosk_locust.execution.cycles import Cycles
from kiosk_locust.execution.executor import Executor, RequestFor
from kiosk_locust.execution.job import JobServices
from kiosk_locust.execution.ledger_gate import LedgerGate
from kiosk_locust.execution.poll_timer import Rests
from kiosk_locust.execution.run_state import RunState
from kiosk_locust.execution.ticket_queue import Tickets
from kiosk_locust.ledger.ledger import Ledger
from kiosk_locust.ledger.resume_state import Remains
from kiosk_locust.model.options import Options
from kiosk_locust.model.user_mix import Mix
from kiosk_locust.storage.transfers.downloads import Downloads
from kiosk_locust.storage.upload_stage import Uploader


class Run:
    """A run in this process; `local_run` makes one."""

    def __init__(
        self,
        options: Options,
        state: RunState,
        *,
        ledger: Ledger,
        bus: JobBus,
        remains: Remains,
        tickets: Tickets,
        cycles: Cycles,
        executor: Executor,
    ) -> None:
        self.options = options
        self.state = state
        self.ledger = ledger
        self.tickets = tickets
        self.cycles = cycles
        self._bus = bus
        self._remains = remains
        self._executor = executor
        self._cycling = Group()

    def start(self, zero_at: float) -> None:
        """Poll on what was submitted before, and begin the first cycle at ``zero_at``.

        From that moment (epoch seconds) due times count. Jobs of earlier sessions are waited for
        by users, as those of users that were ended are: no more than ``-u`` are in flight.
        """
        for record in self._remains.adopt():
            self._bus.adopted(record)
            self._executor.adopt(record, needs_user=True)
        self._cycling.spawn(self._run_cycles, zero_at)

    def work(self, request_for: RequestFor) -> None:
        """Take a ticket for a user, and see its job through; see `Executor.work`."""
        self._executor.work(request_for)

    def _run_cycles(self, zero_at: float) -> None:
        if self.cycles.run(zero_at):
            self._executor.finish_downloads(self.options.drain_timeout_s)
            self.state.all_are_closed()

    def drain(self, ended_by: str, grace_s: float) -> None:
        """Let jobs in flight end within ``grace_s``, and close the rest as unfinished.

        Idempotent: whoever calls it later waits until that is done.
        """
        self.state.drain(ended_by, lambda: self._close_all(grace_s))

    def _close_all(self, grace_s: float) -> None:
        self._executor.drain(grace_s)
        self._cycling.kill()
        self.cycles.close_rest()


def local_run(
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
) -> Run:
    """Make a run in this process; of one that is resumed what ``remains``, else all of it.

    ``uploader`` and ``downloads`` move the files of jobs, where that is wanted.
    """
    remains = remains or Remains(options)
    state.outcomes.update(remains.earlier.outcomes)
    tickets = Tickets(remains.tickets, ledger.reopen)
    gate = LedgerGate(ledger, state.stopping)
    services = JobServices(
        kiosk, ledger, bus, gate, options, clock, rng, Rests(clock).rest, uploader
    )
    executor = Executor(
        state, tickets, services, mix=mix, recall=remains.recall, downloads=downloads
    )
    return Run(
        options,
        state,
        ledger=ledger,
        bus=bus,
        remains=remains,
        tickets=tickets,
        cycles=Cycles(options, state, ledger=ledger, tickets=tickets, remains=remains, clock=clock),
        executor=executor,
    )
