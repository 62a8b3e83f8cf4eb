"""Users that wait for the slots of their tickets, and jobs whose users went."""

from __future__ import annotations

from collections import deque

import gevent
from gevent.event import Event

from kiosk_locust.clock import Clock
from kiosk_locust.model.ports import TicketQueue
from kiosk_locust.model.record import Ticket


class WaitingUsers:
    """Brings jobs and tickets that lost their user to a user that merely waits.

    Nobody waits for a slot any longer once ``stopping`` is set and `rouse_all` was called.
    """

    def __init__(self, queue: TicketQueue, clock: Clock, stopping: Event) -> None:
        self._queue = queue
        self._clock = clock
        self._stopping = stopping
        self._orphans: deque[gevent.Greenlet] = deque()  # jobs that no user waits for
        self._sleepers: dict[int, Event] = {}  # users that wait for a ticket's slot, by ticket

    def leave(self, job: gevent.Greenlet) -> None:
        """Offer a job under way to another user: its own was ended, or an earlier session's."""
        self._orphans.append(job)
        self.rouse_one()

    def next_orphan(self) -> gevent.Greenlet | None:
        """Hand out a job that no user waits for; None where there is none."""
        return self._orphans.popleft() if self._orphans else None

    def await_slot(self, ticket: Ticket) -> bool:
        """Wait until a ticket is due; False if the run stops or there is something to do before.

        That is a job or an earlier ticket of users that are gone.
        """
        roused = Event()
        try:
            while not self._stopping.is_set():
                left_s = 0.0 if ticket.due_at is None else ticket.due_at - self._clock.now()
                if left_s <= 0:
                    return True
                self._sleepers[ticket.id] = roused
                if self._clock.wait(roused, left_s):  # a timer may end it a little early
                    return False
            return False
        finally:
            self._sleepers.pop(ticket.id, None)

    def rouse_one(self) -> None:
        """Where there is a job or a ticket without a user, let one of those who wait have it.

        A user that waits for a new ticket, if there is one; else the one whose slot comes last,
        if that is later: it gives its own ticket back, and nobody else stirs.
        """
        if not self._sleepers:
            return
        last = max(self._sleepers)
        given_back = None if self._queue.takers else self._queue.earliest()
        if self._orphans or (given_back and given_back.id < last):
            self._sleepers.pop(last).set()

    def rouse_all(self) -> None:
        """Let nobody wait for a slot any longer."""
        for roused in tuple(self._sleepers.values()):
            roused.set()
