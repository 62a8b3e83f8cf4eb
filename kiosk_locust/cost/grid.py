"""Sampling grids for Prometheus range queries, and their division into pieces; pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

#: Prometheus refuses more points a series in one query.
MOST_POINTS = 11_000
#: Points per query: a response of a hundred series is then decoded in some 50 ms.
POINTS = 2_000
#: Most clusters scrape every 15 s, 30 s or minute; a finer step adds no information.
FINEST_STEP_S = 15
#: A week in steps of 30 s; more samples of a hundred nodes would exhaust memory.
MOST_STEPS = 20_160


@dataclass(frozen=True, slots=True)
class Grid:
    """Sampling moments from ``start_at`` to ``end_at`` (epoch seconds, both included)."""

    start_at: int
    end_at: int
    step_s: int

    @property
    def points(self) -> int:
        """Number of moments."""
        return (self.end_at - self.start_at) // self.step_s + 1

    def pieces(self, points: int = POINTS) -> Iterator[Grid]:
        """The same moments as consecutive grids of at most ``points`` each."""
        points = min(points, MOST_POINTS)
        for first in range(0, self.points, points):
            last = min(first + points, self.points) - 1
            first_at, last_at = (self.start_at + n * self.step_s for n in (first, last))
            yield Grid(first_at, last_at, self.step_s)


def covering(start_at: float, end_at: float) -> Grid:
    """Grid that begins at or before ``start_at`` and ends at or after ``end_at``.

    The step is 15 s, and longer only for windows of more than 3.5 days.
    """
    start = math.floor(start_at)
    span_s = max(0.0, end_at - start)
    step_s = max(FINEST_STEP_S, math.ceil(span_s / (MOST_STEPS - 1)))
    return Grid(start, start + math.ceil(span_s / step_s) * step_s, step_s)
