"""Words on what is waited for, so that no wait looks like a standstill."""

from __future__ import annotations

import contextlib
import itertools
import logging
from collections.abc import Iterator

import gevent

logger = logging.getLogger(__name__)

#: A wait that is shorter needs no word, in seconds.
FIRST_WORD_S = 3.0
#: A wait that goes on is told of so often, in seconds.
AGAIN_S = 10.0


@contextlib.contextmanager
def announcing(what: str, after_s: float = FIRST_WORD_S) -> Iterator[None]:
    """Log ``what`` once, if the block takes longer than ``after_s`` seconds."""
    word = gevent.spawn_later(after_s, logger.info, "%s", what)
    try:
        yield
    finally:
        word.kill()


@contextlib.contextmanager
def reminding(what: str, every_s: float | None = None) -> Iterator[None]:
    """Log each AGAIN_S seconds, while the block lasts, what is waited for and for how long."""
    step_s = every_s or AGAIN_S

    def remind() -> None:
        for number in itertools.count(1):
            gevent.sleep(step_s)
            logger.warning("%s: %.0f s so far", what, number * step_s)

    greenlet = gevent.spawn(remind)
    try:
        yield
    finally:
        greenlet.kill()
