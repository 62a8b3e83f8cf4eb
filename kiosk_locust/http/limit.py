"""A limit on how long something may take, which can be begun anew."""

from __future__ import annotations

import gevent


class Limit:
    """Raises gevent.Timeout in the greenlet that made it, ``seconds`` from now on."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._timeout = gevent.Timeout.start_new(seconds)

    def renew(self, seconds: float | None = None) -> None:
        """Count from now on, from the same time or from another."""
        self._timeout.close()  # one that is started again keeps what was left of its time
        self.seconds = self.seconds if seconds is None else seconds
        self._timeout = gevent.Timeout.start_new(self.seconds)

    def is_that(self, expired: gevent.Timeout) -> bool:
        """Whether it was this limit that was passed, and not one of somebody else's."""
        return expired is self._timeout

    def close(self) -> None:
        """Limit nothing any more."""
        self._timeout.close()
