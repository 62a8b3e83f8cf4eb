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
def telling(what: str, every_s: float | None = None) -> Iterator[None]:
    """Log each TELL_S seconds, while the block lasts, what is waited for and for how long."""
    step_s = every_s or TELL_S

    def tell() -> None:
        for number in itertools.count(1):
            gevent.sleep(step_s)
            logger.warning("%s: %.0f s so far", what, number * step_s)

    greenlet = gevent.spawn(tell)
    try:
        yield
    finally:
        greenlet.kill()
