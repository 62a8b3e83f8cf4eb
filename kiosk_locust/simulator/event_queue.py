"""Future events in order of time; ties in order of planning."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count


class Agenda:
    """Heap of moments (epoch seconds) and their events."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[[float], None]]] = []
        self._order = count()

    def at(self, when: float, happen: Callable[[float], None]) -> None:
        """Plan ``happen(when)``."""
        heapq.heappush(self._heap, (when, next(self._order), happen))

    def run_until(self, now: float) -> None:
        """Run all events due by ``now``, including those planned meanwhile."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            when, _, happen = heapq.heappop(heap)
            happen(when)

    def __len__(self) -> int:
        return len(self._heap)
