"""Log lines during waits, so that no wait looks like a standstill."""

from __future__ import annotations

import contextlib
import itertools
import logging
from collections.abc import Iterator

import gevent

logger = logging.getLogger(__name__)

#: Shorter waits are not logged, in seconds.
FIRST_MESSAGE_S = 3.0
#: Interval of log lines during a longer wait, in seconds.
REPEAT_S = 10.0


@contextlib.contextmanager
def announcing(activity: str, after_s: float = FIRST_MESSAGE_S) -> Iterator[None]:
    """Log ``activity`` once, if the block takes longer than ``after_s`` seconds."""
    message = gevent.spawn_later(after_s, logger.info, "%s", activity)
    try:
        yield
    finally:
        message.kill()


@contextlib.contextmanager
def reminding(activity: str, every_s: float | None = None) -> Iterator[None]:
    """Log the awaited ``activity`` and the time so far, each ``every_s`` (`REPEAT_S`) seconds."""
    step_s = every_s or REPEAT_S

    def remind() -> None:
        for number in itertools.count(1):
            gevent.sleep(step_s)
            logger.warning("%s: %.0f s so far", activity, number * step_s)

    greenlet = gevent.spawn(remind)
    try:
        yield
    finally:
        greenlet.kill()
