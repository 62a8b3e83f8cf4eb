"""Limits on how long something may take."""

from __future__ import annotations

import time
from collections import deque

import gevent


class Limit:
    """Raises gevent.Timeout in the greenlet that made it, ``seconds`` from now on."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._timeout = gevent.Timeout.start_new(seconds)

    def renew(self, seconds: float | None = None) -> None:
        """Count from now on, from the same time or from another."""
        self._timeout.close()  # one that is started again keeps what was left of its time
        self.seconds = self.seconds if seconds is None else seconds
        self._timeout = gevent.Timeout.start_new(self.seconds)

    def is_that(self, expired: gevent.Timeout) -> bool:
        """Whether it was this limit that was passed, and not one of somebody else's."""
        return expired is self._timeout

    def close(self) -> None:
        """Limit nothing any more."""
        self._timeout.close()


class Begun:
    """One of many limits of the same length; ``close`` it when what it limits is over."""

    __slots__ = ("_limits", "ends_at", "expired", "greenlet", "seconds")

    def __init__(self, limits: Limits, ends_at: float, greenlet: gevent.Greenlet) -> None:
        self._limits = limits
        self.seconds = limits.seconds
        self.ends_at = ends_at
        self.greenlet: gevent.Greenlet | None = greenlet
        self.expired: gevent.Timeout | None = None

    def renew(self, seconds: float | None = None) -> None:
        """Those that share a timer cannot be begun anew: raises TypeError."""
        raise TypeError(f"a limit of {seconds or self.seconds:g} s needs a timer of its own")

    def is_that(self, expired: gevent.Timeout) -> bool:
        """Whether it was this limit that was passed, and not one of somebody else's."""
        return expired is self.expired

    def close(self) -> None:
        """Limit nothing any more."""
        self.greenlet = None
        self._limits.forget_closed()


class Limits:
    """Limits of ``seconds`` each, which all share one timer: who begins first ends first.

    A timer and an exception of its own for each request is a tenth of what a request costs.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._begun: deque[Begun] = deque()
        self._timer = gevent.get_hub().loop.timer(seconds, ref=False)
        self._is_on = False

    def begin(self) -> Begun:
        """Raise gevent.Timeout in this greenlet, ``seconds`` from now on."""
        begun = Begun(self, time.monotonic() + self.seconds, gevent.getcurrent())
        self._begun.append(begun)
        if not self._is_on:
            self._start(self.seconds)
        return begun

    def forget_closed(self) -> None:
        """Let go of those at the front that are over; the timer goes on, and finds nothing."""
        begun = self._begun
        while begun and begun[0].greenlet is None:
            begun.popleft()

    def _start(self, seconds: float) -> None:
        self._timer.stop()
        self._timer = gevent.get_hub().loop.timer(max(0.0, seconds), ref=False)
        self._timer.start(self._on_timer, update=True)
        self._is_on = True

    def _on_timer(self) -> None:
        """In the hub: end who is too late, and wait for the next."""
        self._is_on = False
        due = []
        now = time.monotonic()
        begun = self._begun
        while begun and (begun[0].greenlet is None or begun[0].ends_at <= now):
            due.append(begun.popleft())
        if begun:
            self._start(begun[0].ends_at - now)
        for each in due:
            if each.greenlet is not None:
                each.expired = gevent.Timeout(each.seconds)
                each.greenlet.throw(each.expired)
