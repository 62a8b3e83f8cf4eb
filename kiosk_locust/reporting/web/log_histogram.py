"""Histogram of times in logarithmic classes of bounded number."""

from __future__ import annotations

import math
from collections.abc import Iterable

from kiosk_locust.measurement.histogram import classes_at
from kiosk_locust.measurement.percentiles import rank

#: Classes per doubling of the time: each is 4.4 % wide, so that its middle is off by 2.2 % at most.
CLASSES_PER_DOUBLING = 16
#: Shorter times (s) share the lowest class.
LEAST_S = 1e-4
_LOWEST = math.floor(math.log2(LEAST_S) * CLASSES_PER_DOUBLING)
#: 60 days; longer times count as this long.
_HIGHEST = math.floor(math.log2(60 * 24 * 3600) * CLASSES_PER_DOUBLING)


def place_of(time_s: float) -> int:
    """Class index of a time (s)."""
    if time_s > LEAST_S:
        return min(_HIGHEST, math.floor(math.log2(time_s) * CLASSES_PER_DOUBLING))
    return _LOWEST


class Spread:
    """Counts of times by class; mergeable."""

    __slots__ = ("_counts", "count", "total_s")

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self.count = 0
        self.total_s = 0.0

    def add(self, time_s: float) -> None:
        """Count one time (s)."""
        self.add_in(place_of(time_s), time_s)

    def add_in(self, place: int, time_s: float) -> None:
        """Count one time (s) whose class is known."""
        counts = self._counts
        counts[place] = counts.get(place, 0) + 1
        self.count += 1
        self.total_s += time_s

    def merge(self, other: Spread) -> None:
        """Add the counts of another histogram."""
        for place, number in other._counts.items():
            self._counts[place] = self._counts.get(place, 0) + number
        self.count += other.count
        self.total_s += other.total_s

    def quantiles_s(self, percents: Iterable[int]) -> list[float | None]:
        """Middle of the class of each nearest rank, seconds; ``percents`` must ascend."""
        if not self.count:
            return [None for _ in percents]
        places = classes_at(self._counts, (rank(self.count, percent) for percent in percents))
        return [2 ** ((place + 0.5) / CLASSES_PER_DOUBLING) for place in places]

    def classes(self, most: int = 60) -> tuple[list[float], list[int]]:
        """Edges (s) and counts of a histogram without gaps, of at most ``most`` bars."""
        if not self._counts:
            return [], []
        first, last = min(self._counts) - _LOWEST, max(self._counts) - _LOWEST
        step = 1
        while last // step - first // step + 1 > most:
            step *= 2
        begin, end = first // step, last // step
        counts = [0] * (end - begin + 1)
        for place, number in self._counts.items():
            counts[(place - _LOWEST) // step - begin] += number
        edges = ((_LOWEST + place * step) / CLASSES_PER_DOUBLING for place in range(begin, end + 2))
        return [2**edge for edge in edges], counts
