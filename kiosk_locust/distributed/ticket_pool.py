"""The master's tickets that nobody holds: new ones from the plan, and what came back."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable

from kiosk_locust.model.record import JobRequest, Record, Ticket

#: What a ticket is to submit is known once a user has it.
UNKNOWN = JobRequest("", "", "")


class Pool:
    """``take_new(before)`` gives the plan's next ticket if it is due before that moment."""

    def __init__(self, take_new: Callable[[float], Ticket | None]) -> None:
        self._take_new = take_new
        self._back: dict[int, Record] = {}
        self._order: list[tuple[float, int]] = []
        self._jobs: dict[int, Record] = {}  # to be adopted

    def put(self, record: Record) -> None:
        """A ticket came back: with a job, somebody is to adopt it."""
        ticket = record.ticket
        if record.job_id:
            self._back.pop(ticket.id, None)
            self._jobs[ticket.id] = record
        else:
            due_at = -math.inf if ticket.due_at is None else ticket.due_at
            self._back[ticket.id] = record
            heapq.heappush(self._order, (due_at, ticket.id))

    def take(self, before: float, now: float) -> Record | None:
        """The next ticket that is due before ``before``, or for which no time was promised."""
        while self._order and self._order[0][1] not in self._back:
            heapq.heappop(self._order)
        if self._order and self._order[0][0] < before:
            return self._back.pop(heapq.heappop(self._order)[1])
        ticket = self._take_new(before)
        return None if ticket is None else Record(ticket, "", UNKNOWN, now)

    def take_job(self) -> Record | None:
        """A ticket whose job is to be adopted."""
        return self._jobs.pop(next(iter(self._jobs))) if self._jobs else None

    def find(self, ticket_id: int) -> Record | None:
        """A ticket that came back and is here."""
        return self._back.get(ticket_id) or self._jobs.get(ticket_id)

    def remove(self, ticket_id: int) -> None:
        """Take a ticket out, wherever it is."""
        self._back.pop(ticket_id, None)
        self._jobs.pop(ticket_id, None)

    def empty(self) -> list[Record]:
        """Everything that came back, taken out."""
        records = [*self._jobs.values(), *self._back.values()]
        self._jobs.clear()
        self._back.clear()
        self._order.clear()
        return records
