"""An HDR histogram that is cheap to add to: counts wait in a dictionary until somebody looks."""

from __future__ import annotations

from hdrh.histogram import HdrHistogram

#: Three digits: what hdrhistogram tells apart has so many bits.
_BITS = 11
#: So many different values wait at most; memory must not grow with what is added.
_MOST_WAITING = 2_000


class Histogram:
    """Whole numbers from 0 to ``most``, told apart by three digits; what is beyond counts as that.

    The same percentiles, least and most as of an HdrHistogram that each value was recorded in.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._whole = HdrHistogram(1, most, 3)
        self._waiting: dict[int, int] = {}
        self._highest = 0

    def add(self, value: int) -> None:
        """One more."""
        if value >= 1 << _BITS:
            value = min(value, self._most)
            if value > self._highest:  # the highest is told exactly
                self._whole.record_value(value)
                self._highest = value
                return
            lost = value.bit_length() - _BITS
            value = value >> lost << lost
        elif value < 0:
            value = 0
        waiting = self._waiting
        if value in waiting:
            waiting[value] += 1
            return
        waiting[value] = 1
        if len(waiting) > _MOST_WAITING:
            self._fold()

    @property
    def whole(self) -> HdrHistogram:
        """All that was added."""
        self._fold()
        return self._whole

    def _fold(self) -> None:
        for value, count in self._waiting.items():
            self._whole.record_value(value, count)
        self._waiting.clear()
