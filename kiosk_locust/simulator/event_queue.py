"""What will happen, in order of time; ties in the order in which they were planned."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count


class Agenda:
    """A heap of moments (epoch seconds) and what happens at each."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[[float], None]]] = []
        self._order = count()

    def at(self, when: float, happen: Callable[[float], None]) -> None:
        """Plan ``happen(when)``."""
        heapq.heappush(self._heap, (when, next(self._order), happen))

    def run_until(self, now: float) -> None:
        """Let everything happen that is due by ``now``, also what is planned on the way."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            when, _, happen = heapq.heappop(heap)
            happen(when)

    def __len__(self) -> int:
        return len(self._heap)
