"""Calls out to users' own code: listeners and ``KioskUser.request``.

A greenlet that calls out is marked. If that code ends the test, the end must not be waited for in
the same greenlet, since the end waits for it in turn. What such code raises to end the process or
the test (SystemExit, KeyboardInterrupt, Locust's StopTest) ends the run in order, with results.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from typing import Any

import gevent

#: Everything that a call out may raise, but what kills greenlets.
RAISED = (Exception, SystemExit, KeyboardInterrupt, gevent.Timeout)

#: Ends the run: is given where something was raised, and what; False where no run is on.
EndRun = Callable[[str, BaseException], bool]

_calling: set[Any] = set()  # greenlets that call out now
_ends: list[type[BaseException]] = [SystemExit, KeyboardInterrupt]
_end_run: list[EndRun] = []


class CallingOut:
    """Marks the current greenlet as one that runs users' code: ``with CallingOut():``."""

    __slots__ = ("_marked",)

    def __enter__(self) -> None:
        greenlet = gevent.getcurrent()
        self._marked = None if greenlet in _calling else greenlet
        _calling.add(greenlet)

    def __exit__(self, *_: object) -> None:
        if self._marked is not None:  # else whoever called before takes the mark away
            _calling.discard(self._marked)


class TracebackOnce:
    """Logs what callees raise as errors of ``logger``: each callee's first with its traceback."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._raised: set[Hashable] = set()

    def log(self, callee: Hashable, message: str, *args: object) -> None:
        """Log the exception that is handled now, which ``callee`` raised."""
        self._logger.error(message, *args, exc_info=callee not in self._raised)
        self._raised.add(callee)


def is_calling_out() -> bool:
    """Whether the current greenlet runs users' code that this package called."""
    return gevent.getcurrent() in _calling


def on_end(end_run: EndRun, *more: type[BaseException]) -> None:
    """Call ``end_run`` from now on where users' code raises what ends a process, or ``more``."""
    _end_run[:] = [end_run]
    _ends.extend(kind for kind in more if kind not in _ends)


def ends_run(place: str, error: BaseException) -> bool:
    """Whether ``error``, raised in ``place``, is meant to end the run; then that begins."""
    if not isinstance(error, tuple(_ends)) or not _end_run:
        return False
    return _end_run[0](place, error)


def describe(error: BaseException) -> str:
    """The exception as a reader of messages knows it: ``SystemExit(3)``, ``StopTest('enough')``."""
    return repr(error).removesuffix(",)") + (")" if repr(error).endswith(",)") else "")
