"""Progress of a transfer, reported from the code that moves bytes to a watcher.

Bucket clients and downloads move bytes, and retry, deep inside a call. A watcher of the greenlet
(or thread) receives their reports without an argument in each signature between::

    with watched(pending):
        bucket.put(path, name)      # calls pending.moved() and pending.tried(error)
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Protocol


class Watcher(Protocol):
    """Receiver of reports about one transfer."""

    def moved(self) -> None:
        """Note that bytes have moved."""

    def tried(self, error: BaseException) -> None:
        """Note a failed try that the transfer itself repeats."""


_WATCHER: ContextVar[Watcher | None] = ContextVar("kiosk_locust_headway", default=None)


@contextlib.contextmanager
def watched(watcher: Watcher) -> Iterator[None]:
    """Send reports of this greenlet's transfers to ``watcher``."""
    token = _WATCHER.set(watcher)
    try:
        yield
    finally:
        _WATCHER.reset(token)


def moved() -> None:
    """Report that bytes have moved."""
    if watcher := _WATCHER.get():
        watcher.moved()


def tried(error: BaseException) -> None:
    """Report a failed try that will be repeated."""
    if watcher := _WATCHER.get():
        watcher.tried(error)
