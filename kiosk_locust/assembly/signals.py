"""Ctrl-C and SIGTERM, taken over from Python, which would kill whatever greenlet runs."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from typing import Any

import gevent

NAMES = {signal.SIGINT: "Ctrl-C (SIGINT)", signal.SIGTERM: "SIGTERM"}


#: `timeout` and shells may send one signal twice at once; only a person's second counts.
APART_S = 0.03


class Signals:
    """The first signal says why the run ends; the second, to wait no longer."""

    def __init__(self, on_first: Callable[[], None], on_second: Callable[[], None]) -> None:
        self.first: int | None = None
        self.has_second = False
        self._first_at = 0.0
        self._on_first = on_first
        self._on_second = on_second

    def install(self) -> None:
        """Own both signals from now on, though Locust is about to take SIGTERM, too.

        Its handler runs the whole end of the process in a greenlet beside ours, once for every
        signal; so the one request of its main module for SIGTERM is turned down.
        """
        for number in NAMES:
            gevent.signal_handler(number, self._got, number)
        register = gevent.signal_handler

        def all_but_locusts(number: int, handler: Callable[..., Any], *args: Any) -> object:
            if number == signal.SIGTERM and handler.__module__ == "locust.main":
                gevent.signal_handler = register
                return None
            return register(number, handler, *args)

        gevent.signal_handler = all_but_locusts

    @property
    def name(self) -> str:
        """The first signal's name for people; empty if there was none."""
        return NAMES[signal.Signals(self.first)] if self.first is not None else ""

    def _got(self, number: int) -> None:
        now = time.monotonic()
        if self.first is None:
            self.first, self._first_at = number, now
            self._on_first()
        elif now - self._first_at > APART_S:
            self.has_second = True
            self._on_second()
