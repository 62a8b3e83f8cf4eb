"""Permission to submit jobs in the process that owns the ledger."""

from __future__ import annotations

from gevent.event import Event

from kiosk_locust.ledger.ledger import Ledger
from kiosk_locust.model.record import Record, Ticket


class LedgerGate:
    """Open while the ledger's last durable sign of life is fresh, until ``stopping`` is set.

    A process that cannot write its ledger may be taken for dead, and its run resumed elsewhere.
    """

    def __init__(self, ledger: Ledger, stopping: Event) -> None:
        self._ledger = ledger
        self._stopping = stopping

    def may_submit(self, _ticket: Ticket) -> bool:
        """Tell if the run goes on."""
        return not self._stopping.is_set()

    def may_send(self, record: Record) -> bool:
        """Tell if a request may be sent now, and note in the account that it is."""
        if self._stopping.is_set() or not self._ledger.is_alive:
            return False
        self._ledger.about_to_send(record)
        return True

    def wait_open(self) -> None:
        """Return when the ledger lives; raises LedgerError if its disk takes no more."""
        self._ledger.await_alive()
