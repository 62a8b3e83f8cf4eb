"""Headway of a transfer, from the code that moves bytes to whoever watches the transfer.

Bucket clients and downloads move bytes, and try again by themselves, deep inside a call. A watcher
of the greenlet (or thread) hears of it without an argument in each signature between::

    with watched(pending):
        bucket.put(path, name)      # calls pending.moved() and pending.tried(error)
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Protocol


class Watcher(Protocol):
    """Hears of one transfer."""

    def moved(self) -> None:
        """Bytes have moved."""

    def tried(self, error: BaseException) -> None:
        """One of the tries that the transfer makes by itself has failed."""


_WATCHER: ContextVar[Watcher | None] = ContextVar("kiosk_locust_headway", default=None)


@contextlib.contextmanager
def watched(watcher: Watcher) -> Iterator[None]:
    """Have the transfers of this greenlet tell ``watcher``."""
    token = _WATCHER.set(watcher)
    try:
        yield
    finally:
        _WATCHER.reset(token)


def moved() -> None:
    """Tell that bytes have moved."""
    if watcher := _WATCHER.get():
        watcher.moved()


def tried(error: BaseException) -> None:
    """Tell that a try has failed, and another will be made."""
    if watcher := _WATCHER.get():
        watcher.tried(error)
