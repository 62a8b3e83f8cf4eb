"""Long work of the processor in a real thread, so that greenlets go on meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from gevent.threadpool import ThreadPool

T = TypeVar("T")


def in_thread(work: Callable[[], T]) -> T:
    """What ``work`` returns; what it raises is raised here."""
    pool = ThreadPool(1)
    try:
        done: T | Exception = pool.apply(_caught, (work,))
    finally:
        pool.kill()
    if isinstance(done, Exception):
        raise done
    return done


def _caught(work: Callable[[], T]) -> T | Exception:
    """What is raised in the thread, gevent would print with a traceback."""
    try:
        return work()
    except Exception as error:  # noqa: BLE001  it is raised again in the greenlet
        return error
