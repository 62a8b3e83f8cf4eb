"""The figure of one percentile of a run: its value, its interval or why there is none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from kiosk_locust.quality import censoring
from kiosk_locust.quality.confidence import FEWEST_CYCLES, by_batches, by_cycles
from kiosk_locust.quality.figures import Figure
from kiosk_locust.quality.regime import Regime


@dataclass(frozen=True, slots=True)
class Span:
    """One job's duration, or where it did not end, the age that it reached; seconds."""

    seconds: float
    ended: bool = True

    @property
    def counted_s(self) -> float:
        """As a threshold counts it: infinite where it did not end."""
        return self.seconds if self.ended else math.inf


def figure(cycles: Sequence[Sequence[Span]], percent: float, regime: Regime | None) -> Figure:
    """What a threshold on a percentile is compared with.

    ``cycles`` has the jobs of each cycle in the order in which they were due, warm-up and
    cool-down left out. With at least 6 cycles it is the median of the cycles' own percentiles,
    with an interval from them as replicates; in one steady run that of all jobs, with an
    interval from batches where that can be had. Jobs that did not end count as infinite.
    Memory: five times the values; 200 MB for a million jobs.
    """
    spans = [span for cycle in cycles for span in cycle]
    ended = [span.seconds for span in spans if span.ended]
    unended = [span.seconds for span in spans if not span.ended]
    whole = censoring.percentile(ended, unended, percent)
    if percent >= 100:
        return whole.figure(why="within this run only: another may have a longer one")
    replicates = [_counted(cycle, percent) for cycle in cycles if cycle]
    if len(replicates) >= FEWEST_CYCLES:
        found = by_cycles(replicates)
        if found.value is not None and math.isfinite(found.value):
            why = f"the median of {len(replicates)} cycles"
            return Figure(found.value, interval=found.interval, why=why)
        return whole.figure()
    if regime is not None and regime.kind == "batch":
        return whole.figure(why=f"a batch run, where latency grows with COUNT: {regime.why}")
    estimate = by_batches([span.counted_s for span in spans], percent)
    return whole.figure(interval=estimate.interval, why=estimate.why)


def _counted(cycle: Sequence[Span], percent: float) -> float:
    ended = [span.seconds for span in cycle if span.ended]
    unended = [span.seconds for span in cycle if not span.ended]
    counted = censoring.percentile(ended, unended, percent).counted_s
    return math.inf if counted is None else counted
