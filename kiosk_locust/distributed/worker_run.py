"""A worker's part of a run: the master's tickets, and an executor of their jobs."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable

from kiosk_locust.client.kiosk import Kiosk
from kiosk_locust.clock import Clock
from kiosk_locust.distributed.lease_gate import LeaseGate
from kiosk_locust.distributed.remote_job_log import RemoteJobLog
from kiosk_locust.distributed.remote_tickets import RemoteTickets, granted, session_of
from kiosk_locust.distributed.worker_protocol import WorkerProtocol
from kiosk_locust.execution.bus import JobBus
from kiosk_locust.execution.executor import Executor, RequestFor
from kiosk_locust.execution.job import JobServices
from kiosk_locust.execution.poll_timer import Rests
from kiosk_locust.execution.run_state import RunState
from kiosk_locust.ledger.send_account import SendAccount
from kiosk_locust.model.options import Options
from kiosk_locust.model.record import Record
from kiosk_locust.model.user_mix import Mix
from kiosk_locust.storage.transfers.downloads import Downloads
from kiosk_locust.storage.upload_stage import Uploader

logger = logging.getLogger(__name__)


class WorkerRun:
    """A worker's part of a run, in which it takes part by ``protocol``; `worker_run` makes one.

    ``on_fault`` is called when it cannot go on here; the master then ends it everywhere.
    """

    def __init__(
        self,
        options: Options,
        state: RunState,
        *,
        protocol: WorkerProtocol,
        tickets: RemoteTickets,
        log: RemoteJobLog,
        executor: Executor,
        on_fault: Callable[[], None],
    ) -> None:
        self.options = options
        self.state = state
        self.protocol = protocol
        self.tickets = tickets
        self.log = log
        self._executor = executor
        self._on_fault = on_fault
        state.over.rawlink(self._tell_trouble)

    def work(self, request_for: RequestFor) -> None:
        """Take a ticket for a user, and see its job through; see `Executor.work`."""
        self._executor.work(request_for)

    def adopt(self, record: Record) -> None:
        """Poll a job on that another worker has submitted."""
        record.ticket = granted(record.ticket, self.protocol.session)
        seen = [change.after for change in record.changes]
        record.observed_after = max((at for at in (*seen, record.submitted_at) if at), default=None)
        self._executor.adopt(record, needs_user=False)

    def drop(self) -> None:
        """Drop what it holds, which belongs to others now: it was taken for dead."""
        logger.warning("the master took this worker for dead; it begins anew")
        self._executor.abandon(self.tickets.held())

    def came(self) -> None:
        """Take in that a reply came: what was said may be acknowledged, and tickets be there."""
        self.log.acknowledged()
        if self.protocol.stock:
            self.tickets.wake()
            self._executor.rouse()

    def drain(self, ended_by: str, grace_s: float) -> None:
        """Let jobs in flight end within ``grace_s``; tickets that nobody has begun go back.

        Idempotent: whoever calls it later waits until that is done.
        """
        self.log.give_back_stock()
        self.state.drain(ended_by, lambda: self._close_all(grace_s))
        self.log.give_back_stock()
        self.protocol.finish()

    def _close_all(self, grace_s: float) -> None:
        self._executor.drain(grace_s)
        for ticket in self.tickets.held():  # of users that hang; the master closes them
            if session_of(ticket) == self.protocol.session and not self._executor.has_job(ticket):
                self.log.give_back(ticket)

    def _tell_trouble(self, _over: object) -> None:
        """Tell the master with the next report why this worker cannot go on."""
        self.protocol.fail(self.state.trouble)
        self._on_fault()


def worker_run(
    protocol: WorkerProtocol,
    *,
    options: Options,
    bus: JobBus,
    kiosk: Kiosk,
    clock: Clock,
    own_clock: Callable[[], float],
    on_fault: Callable[[], None],
    mix: Mix,
    uploader: Uploader | None = None,
    downloads: Downloads | None = None,
    account: SendAccount | None = None,
) -> WorkerRun:
    """Make a worker's part of a run.

    ``clock`` shows the master's time, ``own_clock`` the worker's. ``uploader`` and ``downloads``
    move the files of jobs, where that is wanted; ``account`` is of what is sent here.
    """
    state, tickets = RunState(), RemoteTickets(protocol)
    log = RemoteJobLog(protocol, own_clock, account)
    gate = LeaseGate(protocol, log, own_clock, state.stopping)
    rng, rest = random.Random(), Rests(clock).rest
    services = JobServices(kiosk, log, bus, gate, options, clock, rng, rest, uploader)
    executor = Executor(
        state, tickets, services, mix=mix, recall=tickets.recall, downloads=downloads
    )
    return WorkerRun(
        options,
        state,
        protocol=protocol,
        tickets=tickets,
        log=log,
        executor=executor,
        on_fault=on_fault,
    )
