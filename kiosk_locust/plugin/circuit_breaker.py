"""Slows down users whose tasks fail at once, again and again.

Locust runs a user's next task as soon as the last one raised, where ``wait_time`` is 0: one that
fails at once takes all of a processor and fills the log. Such a user waits longer after each
failure, until one of its tasks is over without one. Failed requests are no failures in this sense:
only what a task lets through.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from time import monotonic
from typing import Any
from weakref import WeakKeyDictionary

import gevent
from locust import User
from locust.event import EventHook

logger = logging.getLogger(__name__)

#: So many failures in a row cost no time: an error now and then must not change a load.
FREE = 5
FIRST_WAIT_S, LONGEST_WAIT_S = 0.1, 10.0
#: From so many on (3 s after the first ones), a user is taken for one that never succeeds.
HOPELESS = 10
#: A failure that took longer, or whose user waited by itself, is none of a loop.
IMMEDIATE_S = 1.0
#: A task that asks for the next one within this time has done nothing.
NOTHING_DONE_S = 0.00005
#: Tasks that do nothing in a row, before their user must wait: Locust would never yield.
EMPTY_TASKS = 100


@dataclass(slots=True)
class _Failures:
    count: int = 0
    resumed_at: float = 0.0  # of the monotonic clock
    last: str = ""


class Breaker:
    """Counts the failures in a row of each user, and makes it wait."""

    def __init__(self) -> None:
        self._failures: WeakKeyDictionary[User, _Failures] = WeakKeyDictionary()
        self._empty: WeakKeyDictionary[User, int] = WeakKeyDictionary()
        self._slowed: set[str] = set()
        self.last = ""  # what was raised last, and where

    def listen(self, hook: EventHook) -> None:
        """Listen to Locust's ``user_error``, once however often it is asked for."""
        if self.on_error not in hook._handlers:
            hook.add_listener(self.on_error)

    def forget(self) -> None:
        """Begin anew, as for another run."""
        self.last = ""
        self._slowed.clear()
        self._failures.clear()
        self._empty.clear()

    def on_error(self, user_instance: Any, exception: BaseException, **_: Any) -> None:
        """Take note of one; ``user_error`` is fired in the greenlet of the user.

        Locust gives the TaskSet as ``user_instance``, where one was running.
        """
        user = getattr(user_instance, "user", user_instance)
        name = type(user).__name__
        self.last = f"{exception!r} in {name}"
        failures = self._failures.setdefault(user, _Failures())
        now = monotonic()
        is_next = now - failures.resumed_at < IMMEDIATE_S
        failures.count = failures.count + 1 if is_next else 1
        failures.last = repr(exception)
        if failures.count > FREE:
            self._wait(name, failures.count - FREE, failures.last)
        failures.resumed_at = monotonic()

    def on_success(self, user: User) -> None:
        """One of its tasks is over, and raised nothing."""
        if self._failures:
            self._failures.pop(user, None)
        if self._empty:
            self._empty.pop(user, None)

    def on_reschedule(self, user: User, took_s: float) -> None:
        """One of its tasks asked for the next one, after ``took_s``."""
        if took_s > NOTHING_DONE_S:
            self._empty.pop(user, None)
            return
        count = self._empty[user] = self._empty.get(user, 0) + 1
        if count > EMPTY_TASKS:
            why = "its tasks do nothing but ask for the next one"
            self._wait(type(user).__name__, count - EMPTY_TASKS, why)

    def is_hopeless(self, user: User) -> bool:
        """Whether it has failed so often in a row that nothing else is to be expected."""
        failures = self._failures.get(user)
        empty = self._empty.get(user, 0)
        return empty > EMPTY_TASKS + FREE or (failures is not None and failures.count >= HOPELESS)

    def _wait(self, name: str, times: int, why: str) -> None:
        if name not in self._slowed:
            self._slowed.add(name)
            logger.error(
                "users of %s fail again and again (%s): they are slowed down, to one task in"
                " %g s each",
                name,
                why,
                LONGEST_WAIT_S,
            )
        gevent.sleep(min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(times - 1, 30)))


#: Of this process: Locust's tasks know no environment but their user's.
BREAKER = Breaker()
