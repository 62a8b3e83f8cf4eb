"""When to try again, or to look again, and for how long; pure."""

from __future__ import annotations

import random

from kiosk_locust.clock import Clock
from kiosk_locust.errors import Busy

BASE_S = 0.5
CAP_S = 30.0
LONGEST_HINT_S = 600.0


class Backoff:
    """Waits between tries: exponential, with full jitter, and never before Retry-After.

    Each wait is drawn from 0 to a ceiling that starts at ``base_s`` and doubles up to
    ``cap_s``, so that those who failed together do not come back together. After a Busy that
    names a wait (at most ``LONGEST_HINT_S`` of it is believed) the drawn one is added to it.
    ``least`` is the share of the ceiling that each wait has at least, 0 to 1.
    """

    __slots__ = ("_base_s", "_cap_s", "_failures", "_least", "_rng")

    def __init__(
        self,
        rng: random.Random,
        *,
        base_s: float = BASE_S,
        cap_s: float = CAP_S,
        least: float = 0.0,
    ) -> None:
        self._rng = rng
        self._base_s = base_s
        self._cap_s = cap_s
        self._least = least
        self._failures = 0

    def delay(self, error: BaseException | None = None) -> float:
        """Seconds to wait after one more failure, which was ``error``."""
        # Two to the 40th times any base is past any cap; more would overflow after days.
        ceiling_s = min(self._cap_s, self._base_s * 2.0 ** min(self._failures, 40))
        self._failures += 1
        drawn_s = self._rng.uniform(self._least * ceiling_s, ceiling_s)
        if isinstance(error, Busy) and error.retry_after_s is not None:
            return min(max(error.retry_after_s, 0.0), LONGEST_HINT_S) + drawn_s
        return drawn_s

    def reset(self) -> None:
        """Begin with short waits again: something was answered."""
        self._failures = 0


class Budget:
    """How long it may go on without an answer, in seconds; it starts full."""

    __slots__ = ("_clock", "_since", "seconds")

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self.seconds = seconds
        self._since = clock.now()

    @property
    def spent_s(self) -> float:
        """Seconds since the last answer, or since the beginning."""
        return self._clock.now() - self._since

    @property
    def is_spent(self) -> bool:
        """Whether nothing is left."""
        return self.spent_s >= self.seconds

    def reset(self) -> None:
        """Note that an answer came just now."""
        self._since = self._clock.now()


def poll_interval_s(age_s: float, update_interval_s: float, backoff: float) -> float:
    """Seconds from one poll of a job of that age to the next.

    Never less than UPDATE_INTERVAL; from where it is more, POLL_BACKOFF times the age. So the
    number of polls grows with the logarithm of a long job's duration, and its end is seen later by
    that share of it at most. The duration itself is the server's, and none the worse.
    """
    return max(update_interval_s, backoff * age_s)
