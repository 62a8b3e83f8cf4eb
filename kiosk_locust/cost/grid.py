"""The moments at which a Prometheus is asked for samples, and how they are cut; pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

#: Prometheus refuses more points a series in one query.
MOST_POINTS = 11_000
#: So many are asked for at once: an answer of a hundred series is then decoded in some 50 ms.
POINTS = 2_000
#: The scrape interval of most clusters is 15 s, 30 s or a minute; finer tells nothing more.
FINEST_STEP_S = 15
#: A week in steps of 30 s: more samples of a hundred nodes would fill the memory.
MOST_STEPS = 20_160


@dataclass(frozen=True, slots=True)
class Grid:
    """From ``start_at`` to ``end_at`` (epoch seconds, both included) in whole steps."""

    start_at: int
    end_at: int
    step_s: int

    @property
    def points(self) -> int:
        """How many moments there are."""
        return (self.end_at - self.start_at) // self.step_s + 1

    def pieces(self, points: int = POINTS) -> Iterator[Grid]:
        """The same moments in grids of at most ``points``, none of them twice."""
        points = min(points, MOST_POINTS)
        for first in range(0, self.points, points):
            last = min(first + points, self.points) - 1
            first_at, last_at = (self.start_at + n * self.step_s for n in (first, last))
            yield Grid(first_at, last_at, self.step_s)


def covering(start_at: float, end_at: float) -> Grid:
    """The grid that begins at or before ``start_at`` and ends at or after ``end_at``.

    A step is 15 s, and longer only where a window is longer than some days.
    """
    start = math.floor(start_at)
    span_s = max(0.0, end_at - start)
    step_s = max(FINEST_STEP_S, math.ceil(span_s / (MOST_STEPS - 1)))
    return Grid(start, start + math.ceil(span_s / step_s) * step_s, step_s)
