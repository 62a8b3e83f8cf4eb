"""Ctrl-C and SIGTERM, taken over from Python, which would kill whatever greenlet runs."""

from __future__ import annotations

import signal
from collections.abc import Callable

import gevent
from gevent.event import Event

NAMES = {signal.SIGINT: "Ctrl-C (SIGINT)", signal.SIGTERM: "SIGTERM"}


class Signals:
    """The first signal says why the run ends; the second, to wait no longer."""

    def __init__(self, on_first: Callable[[int], None], on_second: Callable[[], None]) -> None:
        self.first: int | None = None
        self.second = Event()
        self._on_first = on_first
        self._on_second = on_second

    def install(self) -> None:
        """Own both signals from now on."""
        for number in NAMES:
            gevent.signal_handler(number, self._got, number)

    @property
    def name(self) -> str:
        """The first signal's name for people; empty if there was none."""
        return NAMES[signal.Signals(self.first)] if self.first is not None else ""

    def _got(self, number: int) -> None:
        if self.first is None:
            self.first = number
            self._on_first(number)
        else:
            self.second.set()
            self._on_second()
