"""A worker's side of its lease: in which session it takes part, and until when it may submit."""

from __future__ import annotations

import math


class WorkerLease:
    """Begins in ``session``; each renewal lasts ``lease_s`` from the report that was answered."""

    def __init__(self, session: int, lease_s: float) -> None:
        self.session = session  # 0 while it is fenced
        self._last_session = session
        self._lease_s = lease_s
        self._valid_until = -math.inf

    def begin(self, session: int) -> bool:
        """Take part in a later session, whose lease is still to come; False for any other."""
        if session <= self._last_session:
            return False
        self.session = self._last_session = session
        self._valid_until = -math.inf
        return True

    def renew(self, reported_at: float) -> None:
        """The master has answered the report of that moment."""
        self._valid_until = max(self._valid_until, reported_at + self._lease_s)

    def end(self) -> None:
        """The session is over; a later one may begin."""
        self.session = 0

    def may_submit(self, session: int, now: float) -> bool:
        """True if a ticket of that session may be submitted at this moment."""
        return session == self.session and now < self._valid_until
