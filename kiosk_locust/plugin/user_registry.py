"""The users of one process that are asked what to submit for tickets of their classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Generic, Protocol, TypeVar

import gevent
from gevent.lock import RLock


class Member(Protocol):
    """A Locust user."""

    @property
    def greenlet(self) -> gevent.Greenlet | None:
        """What it runs in; None of one that Locust has not started."""

    def on_start(self) -> None:
        """Get ready."""


M = TypeVar("M", bound=Member)


class Crew(Generic[M]):
    """Finds a user of each of ``classes``, by name; ``make`` makes one where none is alive.

    A user that takes tickets is a slot for a job of any class, but only a user of the ticket's
    own class knows what to submit.
    """

    def __init__(self, classes: Mapping[str, type[M]], make: Callable[[type[M]], M]) -> None:
        self._classes = classes
        self._make = make
        self._latest: dict[str, M] = {}
        self._idle: dict[str, M] = {}
        self._making = RLock()

    def joined(self, user: M) -> None:
        """A user of Locust's takes tickets: its ``on_start`` is over."""
        self._latest[type(user).__name__] = user

    def one_of(self, user_class: str, taker: M) -> M:
        """A user of that class: ``taker`` if it is one, else one that is alive, else an idle one.

        The idle one is made once, and its ``on_start`` called. Raises KeyError for a class that
        is not one of ``classes``, and what ``on_start`` raises.
        """
        if type(taker).__name__ == user_class:
            return taker
        latest = self._latest.get(user_class)
        if latest is not None and latest.greenlet is not None and not latest.greenlet.dead:
            return latest
        with self._making:
            idle = self._idle.get(user_class)
            if idle is None:
                idle = self._make(self._classes[user_class])
                idle.on_start()
                self._idle[user_class] = idle
            return idle
