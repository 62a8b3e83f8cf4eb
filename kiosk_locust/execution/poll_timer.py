"""Jobs rest between polls; those that are to wake at about the same time wake together.

A process that is woken finds the processor's caches cold: with a hundred jobs a second, half of a
poll's cost is that. So rests end at the next of moments that lie up to 25 ms apart. They are no
longer by more than a fiftieth, and no more than a few jobs end theirs at once.
"""

from __future__ import annotations

import math

from gevent.event import Event

from kiosk_locust.clock import Clock

#: The moments at which jobs wake lie so far apart at most, in seconds ...
WIDEST_S = 0.025
#: ... or a half of that, a quarter and so on, so that all of them lie on the finest ones; none ...
FINEST_S = WIDEST_S / 32
#: ... is wider than this share of a rest ...
MOST_SHARE = 0.02
#: ... nor so wide that more jobs wake at once on average: submissions would wait for them.
TOGETHER = 8


class Rests:
    """The rests of one process's jobs."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._resting = 0

    def rest(self, alarm: Event, seconds: float) -> None:
        """Rest for ``seconds`` or slightly longer, but at most until ``alarm`` is set."""
        self._resting += 1
        try:
            self._clock.wait(alarm, self.stretched_s(seconds))
        finally:
            self._resting -= 1

    def stretched_s(self, seconds: float) -> float:
        """``seconds``, made longer so that it ends at one of the moments."""
        most_s = min(MOST_SHARE, TOGETHER / max(1, self._resting)) * seconds
        step_s = WIDEST_S
        while step_s > most_s:
            step_s /= 2
            if step_s < FINEST_S:
                return seconds
        now = self._clock.now()
        return max(seconds, math.ceil((now + seconds) / step_s) * step_s - now)
