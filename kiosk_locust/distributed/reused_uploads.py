"""Uploads at workers whose names are not new in the run."""

from __future__ import annotations

from dataclasses import replace

from kiosk_locust.distributed.leases import Leases
from kiosk_locust.distributed.messages import Reply, ReusedUpload
from kiosk_locust.ledger.ledger import Ledger
from kiosk_locust.model.record import Record


class ReusedUploads:
    """Finds uploads with a name that the run has had, which do not count, for replies to say so."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._unchecked: list[tuple[Record, str]] = []
        self._reused: dict[int, str] = {}  # by ticket: its last upload has a name that is not new

    def add(self, record: Record, name: str) -> None:
        """Take in that a ticket's file was uploaded by a name; an empty one: it was not."""
        self.forget(record.ticket.id)
        if name:
            self._unchecked.append((record, name))

    def forget(self, ticket_id: int) -> None:
        """Say nothing more of a ticket's upload."""
        self._reused.pop(ticket_id, None)

    def take_unchecked(self) -> list[tuple[Record, str]]:
        """Hand over the uploads whose names are not checked yet, to be settled before `check`."""
        uploads, self._unchecked = self._unchecked, []
        return uploads

    def check(self, uploads: list[tuple[Record, str]]) -> None:
        """Note which of these uploads have a name that is not new; raises LedgerError."""
        names = [(record.ticket.id, name) for record, name in uploads]
        for (record, name), is_reused in zip(uploads, self._ledger.reused(names), strict=True):
            if is_reused:
                self._reused[record.ticket.id] = name
                record.upload = None  # should its worker be lost, it was surely not submitted

    def said_in(self, reply: Reply, worker: str, leases: Leases) -> Reply:
        """The reply with the uploads of the worker's tickets that do not count."""
        if not self._reused:
            return reply
        reused = tuple(
            ReusedUpload(ticket_id, name)
            for ticket_id, name in self._reused.items()
            if (owner := leases.owner(ticket_id)) and owner.worker == worker
        )
        return replace(reply, reused=reused)
