"""A worker's stock of granted tickets, and how it asks for more."""

from __future__ import annotations

import heapq
import math

from kiosk_locust.distributed.messages import Grant
from kiosk_locust.model.record import Record


class Stock:
    """Tickets that were granted and not yet taken by a user; the earliest one is taken first.

    Asking is repeated with the same number until that grant is there, so each grant is taken in
    once, however often it comes.
    """

    def __init__(self) -> None:
        self.ask = 1  # the number of the grant that is awaited
        self._records: list[tuple[float, int, Record]] = []

    def __len__(self) -> int:
        return len(self._records)

    def wanted(self, free_users: int) -> int:
        """The number of tickets that could be used now beside those here."""
        return max(0, free_users - len(self))

    def receive(self, grant: Grant) -> list[Record]:
        """Take in a grant that was awaited; returns the jobs that are to be adopted."""
        if grant.number != self.ask:
            return []
        self.ask += 1
        for record in grant.records:
            if not record.job_id:
                self.put(record)
        return [record for record in grant.records if record.job_id]

    def put(self, record: Record) -> None:
        """Put a ticket that a user gave back among the others."""
        due_at = record.ticket.due_at
        key = -math.inf if due_at is None else due_at
        heapq.heappush(self._records, (key, record.ticket.id, record))

    def take(self) -> Record | None:
        """The earliest ticket, or None where there is none."""
        return heapq.heappop(self._records)[2] if self._records else None

    def earliest(self) -> Record | None:
        """The one that would be taken next, left there."""
        return self._records[0][2] if self._records else None

    def empty(self) -> list[Record]:
        """Everything that is there, taken out."""
        records = [record for _, _, record in sorted(self._records, key=lambda item: item[:2])]
        self._records.clear()
        return records
