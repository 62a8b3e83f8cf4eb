"""A histogram of durations: percentiles of many in little memory, within 0.1 %."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from kiosk_locust.measurement.binomial_bound import least_p99_percent

#: Classes are as of an HDR histogram of three digits: so many leading bits are told apart.
_BITS = 11
_US = 1_000_000
_DAY_S = 24 * 3600


class DurationHistogram:
    """Counts durations by classes of microseconds that differ in three digits.

    Durations longer than ``longest_s`` count as that long, negative ones as 0. ``count`` is how
    many were added; ``total`` also has those that `add` fills in.
    """

    __slots__ = ("_counts", "_highest_us", "_longest_us", "count", "total")

    def __init__(self, longest_s: float = _DAY_S) -> None:
        self._longest_us = round(longest_s * _US)
        self._counts: dict[int, int] = {}
        self._highest_us = 0
        self.count = 0
        self.total = 0

    def add(self, time_s: float, expected_s: float = 0.0) -> None:
        """One more; where they come each ``expected_s``, a long one has swallowed others."""
        self.count += 1
        time_us = max(0, min(self._longest_us, round(time_s * _US)))
        self._highest_us = max(self._highest_us, time_us)
        self._add_us(time_us)
        if expected_s:
            expected_us = max(1, round(expected_s * _US))
            while expected_us < time_us:
                time_us -= expected_us
                self._add_us(time_us)

    def at_ranks(self, ranks: Iterable[int]) -> list[float]:
        """The seconds at ranks that ascend from 1: the greatest of the class of each."""
        return [_greatest_of(place) / _US for place in classes_at(self._counts, ranks)]

    @property
    def highest_s(self) -> float:
        """The greatest duration, exactly; 0 of none."""
        return self._highest_us / _US

    def percentile_s(self, percent: float) -> float | None:
        """The percentile in seconds; None of none.

        Its rank is rounded, as an HDR histogram's, where that of `percentiles.rank` goes up:
        it stays what it was in runs that were measured before.
        """
        if not self.total:
            return None
        return self.at_ranks([max(1, int(min(percent, 100.0) * self.total / 100 + 0.5))])[0]

    def also(self, times_s: Sequence[float], shorter: int = 0) -> DurationHistogram:
        """These times and some more, apart; ``shorter`` is how many there are of no matter."""
        both = DurationHistogram()
        both._longest_us, both._highest_us = self._longest_us, self._highest_us
        both._counts = dict(self._counts)
        both.count, both.total = self.count + shorter, self.total
        if shorter:
            both._add_us(1, shorter)
        for time_s in times_s:
            both.add(time_s)
        return both

    def least_p99_s(self) -> float | None:
        """The lower bound of the p99 that rules go by, in seconds; None of too few."""
        percent = least_p99_percent(self.count)
        return None if percent is None else self.percentile_s(percent)

    def _add_us(self, time_us: int, times: int = 1) -> None:
        if time_us >= 1 << _BITS:
            lost = time_us.bit_length() - _BITS
            time_us = time_us >> lost << lost
        self._counts[time_us] = self._counts.get(time_us, 0) + times
        self.total += times


def classes_at(counts: Mapping[int, int], ranks: Iterable[int]) -> list[int]:
    """The classes, of some with their counts, that hold the values at ascending ranks."""
    classes = iter(sorted(counts))
    found: list[int] = []
    place, seen = 0, 0
    for rank in ranks:
        while seen < rank:
            place = next(classes)
            seen += counts[place]
        found.append(place)
    return found


def _greatest_of(place: int) -> int:
    """The greatest number of microseconds in a class."""
    return place + (1 << max(0, place.bit_length() - _BITS)) - 1
