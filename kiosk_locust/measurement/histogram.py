"""An HDR histogram that is cheap to add to: counts wait in a dictionary until somebody looks."""

from __future__ import annotations

from collections.abc import Iterable

from hdrh.histogram import HdrHistogram

from kiosk_locust.measurement.binomial_bound import least_p99_percent

#: Three digits: what hdrhistogram tells apart has so many bits.
_BITS = 11
#: So many different values wait at most; memory must not grow with what is added.
_MOST_WAITING = 2_000
_US = 1_000_000
_LONGEST_US = 24 * 3600 * _US


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


class Waits:
    """How long something took, from many times, in constant memory."""

    def __init__(self) -> None:
        self._histogram = Histogram(_LONGEST_US)
        self.count = 0

    def add(self, time_s: float, expected_s: float = 0.0) -> None:
        """One more; where they come each ``expected_s``, a long one has swallowed others."""
        self.count += 1
        time_us = min(_LONGEST_US, round(time_s * _US))
        self._histogram.add(time_us)
        if expected_s:
            expected_us = round(expected_s * _US)
            while 0 < expected_us < time_us:
                time_us -= expected_us
                self._histogram.add(time_us)

    def percentile_s(self, percent: float) -> float | None:
        """The percentile in seconds; None of none."""
        if not self.count:
            return None
        value: int = self._histogram.whole.get_value_at_percentile(percent)
        return value / _US

    def also(self, times_s: Iterable[float], shorter: int = 0) -> Waits:
        """These times and some more, apart; ``shorter`` is how many there are of no matter."""
        both = Waits()
        both._histogram.whole.add(self._histogram.whole)
        both.count = self.count + shorter
        if shorter:
            both._histogram.whole.record_value(1, shorter)
        for time_s in times_s:
            both.add(time_s)
        return both

    def least_p99_s(self) -> float | None:
        """The lower bound of the p99 that rules go by, in seconds; None of too few."""
        percent = least_p99_percent(self.count)
        return None if percent is None else self.percentile_s(percent)
