"""When a worker's next report is due, and how long its reports await their answers."""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

from kiosk_locust.distributed.messages import Terms

#: Reports follow each other not faster than this, but for urgent events; what the master need not
#: know at once waits for half of the time that lies between two lots of tickets.
GAP_S = 0.02
#: How often a report tells what the worker saw of itself.
FIGURES_S = 2.0
#: Reports whose answers are timed; a master that is gone for hours answers no more of them.
MOST_UNANSWERED = 1000


class Standing(NamedTuple):
    """The part of a report whose change makes one due."""

    ask: int
    wanted: int
    is_drained: bool
    trouble: str


class ReportSchedule:
    """The reports of one run; times are those of the worker's own clock, in seconds."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._reported = Standing(0, 0, is_drained=False, trouble="")
        self._reported_at = -math.inf
        self._figures_at = -math.inf
        self._room = 0  # the tickets that the master may still grant, for all it knows
        self._unanswered: deque[float] = deque()

    def hurry(self) -> None:
        """A report is due at once, as in a new session."""
        self._reported_at = -math.inf

    def is_due(self, standing: Standing, now: float) -> bool:
        """True if a beat has passed, or the master does not know this and should by now."""
        since_s = now - self._reported_at
        if since_s >= self._terms.beat_s:
            return True
        if standing == self._reported:
            return False
        ends = standing[2:] != self._reported[2:]
        is_urgent = ends or (standing.wanted > 0 and self._room <= 0)
        return since_s >= (GAP_S if is_urgent else max(GAP_S, self._terms.lot_s / 2))

    def are_figures_due(self, standing: Standing, now: float) -> bool:
        """True every few seconds, and for the last words."""
        return standing.is_drained or now - self._figures_at >= FIGURES_S

    def reported(self, standing: Standing, now: float, *, figures: bool) -> None:
        """A report is on its way."""
        self._reported, self._reported_at = standing, now
        self._room = standing.wanted
        if figures:
            self._figures_at = now
        if len(self._unanswered) < MOST_UNANSWERED:
            self._unanswered.append(now)

    def granted(self, tickets: int) -> None:
        """So many tickets have come."""
        self._room -= tickets

    def answered(self, echo: float, now: float) -> float | None:
        """Return the delay of an answer to the report of ``echo``, in seconds.

        It counts from the oldest report that had no answer yet; None where all had one.
        """
        oldest = None
        while self._unanswered and self._unanswered[0] <= echo:
            reported_at = self._unanswered.popleft()
            oldest = reported_at if oldest is None else oldest
        return None if oldest is None else now - oldest
