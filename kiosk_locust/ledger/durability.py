"""State of a ledger's disk as its writer knows it: what is durable, and the room that is left."""

from __future__ import annotations

import math
from pathlib import Path

from gevent.event import Event

from kiosk_locust.errors import LedgerError
from kiosk_locust.filesystem import disk_space
from kiosk_locust.native_thread import RealThread

#: How often it is looked how much room the disk has.
LOOK_AT_ROOM_S = 1.0


class Durability:
    """The number of statements on the disk, or the reason why there will be no more.

    ``alive_at`` is the last durable sign of life (epoch seconds).
    """

    def __init__(self) -> None:
        self.count = 0
        self.alive_at = -math.inf
        self.failure: LedgerError | None = None
        self._waiting: list[tuple[int, Event]] = []  # for so many statements
        self._next = Event()

    def wait(self, count: int) -> None:
        """Return when so many statements are on the disk; raises the failure."""
        while self.count < count:
            if self.failure:
                raise self.failure
            turn = Event()
            self._waiting.append((count, turn))
            turn.wait()

    def wait_next(self) -> None:
        """Return after the next commit, or the failure of it; raises one that was before."""
        if self.failure:
            raise self.failure
        self._next.wait()

    def advance(self, count: int, alive_at: float = -math.inf) -> None:
        """Count ``count`` more statements, committed with a sign of life."""
        self.count += count
        self.alive_at = alive_at
        self.failure = None
        self._wake()

    def fail(self, failure: LedgerError) -> None:
        """Note that the disk takes no more."""
        self.failure = failure
        self._wake()

    def _wake(self) -> None:
        """Let those look again whose statements are durable; all, when they never will be."""
        following, self._next = self._next, Event()
        following.set()
        waiting, self._waiting = self._waiting, []
        for count, turn in waiting:
            if count <= self.count or self.failure:
                turn.set()
            else:
                self._waiting.append((count, turn))


class RoomWatch:
    """Looks once a second, until there is a lack, at the room that a folder's disk has for jobs.

    So a run ends while there is room for the rest of it.
    """

    def __init__(self, folder: Path, thread: RealThread) -> None:
        self._folder = folder
        self._thread = thread
        self._looked_at = -math.inf
        self._has_lack = False

    def new_lack(self, now: float) -> str:
        """The message for a lack of room that shows for the first time; else empty."""
        if self._has_lack or now - self._looked_at < LOOK_AT_ROOM_S:
            return ""
        self._looked_at = now
        lack = self._thread.apply(disk_space.lack_of, (self._folder, disk_space.JOBS))
        self._has_lack = bool(lack)
        return lack
