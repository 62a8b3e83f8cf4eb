"""Samples of clocks, thinned: of very many, those are kept that bound an offset best.

Time is cut into windows. Of a clock's samples in one, the one with the greatest lower bound
and the one with the least upper bound are kept, as they were: the others say nothing that these
two do not, but for the drift within a window. Where too many are kept, windows double.

Memory: 0.3 KB a window that has samples, 10 MB at most.
"""

from __future__ import annotations

import math
from collections import defaultdict

from kiosk_locust.measurement.clocks import Offset, Sample

FIRST_WINDOW_S = 1.0
MOST_WINDOWS = 32_768

_Best = tuple[Sample, Sample]


class Gathered:
    """Takes samples of any number of clocks, in any order."""

    def __init__(self, most_windows: int = MOST_WINDOWS) -> None:
        self._most = most_windows
        self._window_s = FIRST_WINDOW_S
        self._best: dict[tuple[str, int], _Best] = {}
        self._counts: dict[str, int] = defaultdict(int)

    def add(self, clock: str, sample: Sample) -> None:
        """Take one sample of ``clock``."""
        self._counts[clock] += 1
        self._keep(self._best, (clock, math.floor(sample.before / self._window_s)), sample)
        if len(self._best) > self._most:
            self._widen()

    def count(self, clock: str) -> int:
        """How many samples of a clock were taken in."""
        return self._counts.get(clock, 0)

    def offsets(self) -> dict[str, Offset]:
        """What is known of each clock."""
        kept: dict[str, list[Sample]] = defaultdict(list)
        for (clock, _), best in self._best.items():
            kept[clock] += dict.fromkeys(best)
        return {clock: Offset(samples) for clock, samples in kept.items()}

    def _widen(self) -> None:
        self._window_s *= 2
        wider: dict[tuple[str, int], _Best] = {}
        for (clock, _), best in self._best.items():
            for sample in best:
                window = math.floor(sample.before / self._window_s)
                self._keep(wider, (clock, window), sample)
        self._best = wider
        self._most = max(self._most, 2 * len(wider))  # more clocks than windows: let them be

    @staticmethod
    def _keep(kept: dict[tuple[str, int], _Best], window: tuple[str, int], sample: Sample) -> None:
        best = kept.get(window)
        if best is None:
            kept[window] = (sample, sample)
            return
        lowest, highest = best
        if sample.low_s > lowest.low_s:
            kept[window] = (sample, highest)
            lowest = sample
        if sample.high_s < highest.high_s:
            kept[window] = (lowest, sample)
