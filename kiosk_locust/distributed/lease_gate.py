"""Permission to submit jobs at a worker, whose tickets are leased to it."""

from __future__ import annotations

from collections.abc import Callable

from gevent.event import Event

from kiosk_locust.distributed.remote_job_log import RemoteJobLog
from kiosk_locust.distributed.remote_tickets import session_of
from kiosk_locust.distributed.worker_protocol import WorkerProtocol
from kiosk_locust.model.record import Record, Ticket


class LeaseGate:
    """Open for a ticket while its session's lease holds, until ``stopping`` is set.

    ``own_clock`` is the worker's own: the master's may jump.
    """

    def __init__(
        self,
        protocol: WorkerProtocol,
        log: RemoteJobLog,
        own_clock: Callable[[], float],
        stopping: Event,
    ) -> None:
        self._protocol = protocol
        self._log = log
        self._own_clock = own_clock
        self._stopping = stopping

    def may_submit(self, ticket: Ticket) -> bool:
        """Tell if the run goes on and the lease holds."""
        if self._stopping.is_set():
            return False
        return self._protocol.may_submit(session_of(ticket), self._own_clock())

    def may_send(self, record: Record) -> bool:
        """The same right before a request, and note in the account that it is sent."""
        if not self.may_submit(record.ticket):
            return False
        self._log.about_to_send(record)
        return True

    def wait_open(self) -> None:
        """Return at once: a lease that lapsed never opens again for its tickets."""
