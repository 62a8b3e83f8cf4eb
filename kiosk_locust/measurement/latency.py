"""Percentiles of a run: their values, their intervals or why there are none."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from kiosk_locust.measurement import censoring
from kiosk_locust.measurement.estimates import MeasuredFigure
from kiosk_locust.measurement.intervals import FEWEST_CYCLES, by_batches, by_cycles
from kiosk_locust.measurement.percentiles import at_rank
from kiosk_locust.measurement.steady_state import Regime


@dataclass(frozen=True, slots=True)
class Lives:
    """The durations of one cycle's jobs; seconds.

    ``counted`` has all jobs in the order in which they were due, those that did not end as
    infinite; ``ages`` what these had reached.
    """

    counted: Sequence[float]
    ages: Sequence[float] = ()


class Latency:
    """Percentiles of the jobs of some cycles, warm-up and cool-down left out.

    Sorts once. Memory: four times the values, 32 MB for a million jobs.
    """

    def __init__(self, cycles: Sequence[Lives]) -> None:
        self._cycles = [each for each in cycles if each.counted]
        self._counted = array("d", chain.from_iterable(each.counted for each in self._cycles))
        self._ordered = sorted(self._counted)
        self._ages = sorted(chain.from_iterable(each.ages for each in self._cycles))
        self._ended = self._ordered[: len(self._ordered) - len(self._ages)]

    @property
    def jobs(self) -> int:
        """How many jobs there are, those that did not end too."""
        return len(self._counted)

    def censored(self, percent: float) -> censoring.Censored:
        """The percentile in every way of counting the jobs that did not end."""
        return censoring.percentile(self._ended, self._ages, percent)

    def figure(self, percent: float, regime: Regime | None) -> MeasuredFigure:
        """What a threshold on a percentile is compared with.

        With at least 6 cycles it is the median of the cycles' own percentiles, with an
        interval from them as replicates; in one steady run that of all jobs, with an interval
        from batches where that can be had. Jobs that did not end count as infinite.
        """
        whole = self.censored(percent)
        if percent >= 100:
            return whole.figure(why="within this run only: another may have a longer one")
        if len(self._cycles) >= FEWEST_CYCLES:
            return _of_cycles(whole, [_counted(each, percent) for each in self._cycles])
        if regime is not None and regime.kind == "batch":
            return whole.figure(why=f"a batch run, where latency grows with COUNT: {regime.why}")
        estimate = by_batches(self._counted, percent, self._ordered)
        return whole.figure(interval=estimate.interval, why=estimate.why)


def _of_cycles(whole: censoring.Censored, replicates: Sequence[float]) -> MeasuredFigure:
    found = by_cycles(replicates)
    if found.value is None or not math.isfinite(found.value):
        return whole.figure()
    why = f"the median of {len(replicates)} cycles"
    return MeasuredFigure(found.value, interval=found.interval, why=why)


def _counted(cycle: Lives, percent: float) -> float:
    return at_rank(sorted(cycle.counted), percent)
