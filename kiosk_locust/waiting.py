"""A word on what is waited for, so that no wait looks like a standstill."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import gevent

logger = logging.getLogger(__name__)

#: A wait that is shorter needs no word, in seconds.
FIRST_WORD_S = 3.0


@contextmanager
def telling(what: str, after_s: float = FIRST_WORD_S) -> Iterator[None]:
    """Log ``what`` once, if the block takes longer than ``after_s`` seconds."""
    word = gevent.spawn_later(after_s, logger.info, "%s", what)
    try:
        yield
    finally:
        word.kill()
