"""Words every few seconds while somebody else is waited for."""

from __future__ import annotations

import contextlib
import itertools
import logging
from collections.abc import Iterator

import gevent

logger = logging.getLogger(__name__)

#: So often, in seconds.
TELL_S = 10.0


@contextlib.contextmanager
def telling(what: str) -> Iterator[None]:
    """Log each TELL_S seconds, while the block lasts, what is waited for and for how long."""

    def tell() -> None:
        for number in itertools.count(1):
            gevent.sleep(TELL_S)
            logger.warning("%s: %.0f s so far", what, number * TELL_S)

    greenlet = gevent.spawn(tell)
    try:
        yield
    finally:
        greenlet.kill()
