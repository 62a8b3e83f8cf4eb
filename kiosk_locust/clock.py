"""Time as an argument: one clock that is read and slept on everywhere."""

from __future__ import annotations

import time
from typing import Protocol

import gevent
from gevent.event import Event


class Clock(Protocol):
    """Seconds since the epoch that never go back, and a way to let them pass."""

    def now(self) -> float:
        """Seconds since the epoch."""

    def sleep(self, seconds: float) -> None:
        """Let other greenlets run for ``seconds`` (none or less: just one turn)."""

    def wait(self, event: Event, seconds: float) -> bool:
        """Sleep, but at most until ``event`` is set; whether it is."""


class SystemClock:
    """The machine's clock, read once; from then on monotonic time is added to it.

    A wall clock that is stepped in mid-run therefore changes no duration.
    """

    def __init__(self) -> None:
        self._anchor = time.time() - time.monotonic()

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._anchor + time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Let other greenlets run for ``seconds``."""
        gevent.sleep(max(0.0, seconds))

    def wait(self, event: Event, seconds: float) -> bool:
        """Sleep, but at most until ``event`` is set; whether it is."""
        return bool(event.wait(max(0.0, seconds)))
