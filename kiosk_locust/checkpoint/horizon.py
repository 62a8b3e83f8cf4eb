"""The ticket up to which a closed workload may go by its newest checkpoint."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

from kiosk_locust.ledger.recovery import Mark
from kiosk_locust.model.record import Ticket

#: For so many intervals a checkpoint bounds what a closed workload may hand out without another.
INTERVALS_HELD = 10
#: Work for that time by the fastest pace seen so far, and so much more; at first, per user.
MORE, FIRST_PER_USER = 1.2, 8


class HeldTickets(Protocol):
    """The part of a run's tickets that checkpoints use: how far they are, and how far they may go.

    ``given_until`` is the number after the last ticket that was handed out; ``on_horizon`` is
    called when the horizon comes near.
    """

    has_begun: bool
    given_until: int
    on_horizon: Callable[[], None]

    @property
    def next(self) -> Ticket | None:
        """The one that comes next, of those that nobody had yet; None: none in this cycle."""

    def hold_from(self, horizon: int | None) -> None:
        """Hand out only tickets below ``horizon`` until the next call; None: all."""


class Horizon:
    """Holds back the tickets of a closed workload that its newest checkpoint does not cover.

    ``users`` is None for an open workload, of which nothing is held back (`ledger.recovery`).
    ``every_s`` is the interval between two checkpoints.
    """

    def __init__(self, tickets: HeldTickets, users: int | None, every_s: float) -> None:
        self._tickets = tickets
        self._users = users
        self._held_s = INTERVALS_HELD * every_s
        self._pace_per_s = 0.0  # the fastest at which tickets were handed out

    def on_near(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` from now on when the tickets come near the horizon."""
        self._tickets.on_horizon = callback

    def mark(self, now: float, process: str, newest: Mark | None) -> Mark:
        """The mark of a checkpoint that is taken now; ``newest`` is that of the one before."""
        coming = self._tickets.next
        return Mark(
            now,
            process,
            has_begun=self._tickets.has_begun,
            next_id=coming.id if coming else None,
            next_due_at=coming.due_at if coming else None,
            horizon=self._end(now, newest),
            held_until=now + self._held_s,
        )

    def _end(self, now: float, newest: Mark | None) -> int | None:
        if self._users is None:
            return None
        coming = self._tickets.next
        given = coming.id if coming else self._tickets.given_until
        if newest is not None and newest.next_id is not None and now > newest.taken_at:
            pace_per_s = (given - newest.next_id) / (now - newest.taken_at)
            self._pace_per_s = max(self._pace_per_s, pace_per_s)
        work = math.ceil(MORE * self._pace_per_s * self._held_s)
        return given + max(work, FIRST_PER_USER * self._users)

    def hold(self, mark: Mark) -> None:
        """Let tickets go as far as a checkpoint with ``mark`` covers, which is in the bucket."""
        if self._users is not None:
            self._tickets.hold_from(mark.horizon)

    def release(self) -> None:
        """Let all tickets go."""
        if self._users is not None:
            self._tickets.hold_from(None)
