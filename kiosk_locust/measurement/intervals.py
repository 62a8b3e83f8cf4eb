"""How far a percentile of this run may lie from that of another run like it.

Jobs that share a queue are not independent: one that waits long stands behind another that
did. Intervals that assume they are cover a third of the cases at a load of 0.8. Here is an
interval from batches of one long run, one from its cycles, and else a sentence why there is none.

Memory: the values twice; 64 MB for a million jobs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median

from kiosk_locust.measurement.estimates import Interval
from kiosk_locust.measurement.percentiles import at_rank, rank

CONFIDENCE = 0.95
BATCHES = 10
#: Separate spells above the percentile that an interval needs, each from the lowest quarter of
#: the values; more for those below p90, which are crossed in short queues too. With fewer, the
#: interval is narrow just where the run missed the rare long queues: benchmarks/coverage.py.
SPELLS = 40
SPELLS_BELOW_P90 = 60
FEWEST_CYCLES = 6  # the range of 6 values covers their median with 1 - 2 ** -5 = 96.9 %

#: Student's t with 9 degrees of freedom, at 99.5 %. The width of the interval is itself
#: estimated, from few batches and together with the percentile, so that t at 97.5 % covers
#: 92 % only; with this one it is at least 95 %.
_T = 3.250
#: One-sided 5 % point of the normal distribution.
_Z = 1.645


@dataclass(frozen=True, slots=True)
class Estimate:
    """A percentile in the unit of the values, and an interval of it or the reason for none."""

    value: float | None
    interval: Interval | None
    why: str = ""


def needed(percent: float, confidence: float = CONFIDENCE) -> int:
    """How many independent values a two-sided interval of a percentile needs: 72 for p95.

    The greatest of n values lies below the percentile p with a chance of p ** n. It bounds p
    from above where that is at most half of what the interval may miss, so n is the least with
    p ** n <= (1 - confidence) / 2; below the median, the same holds for the least value.
    ValueError for a percentile that is not between 0 and 100: nothing bounds a maximum.
    """
    if not 0 < percent < 100:
        raise ValueError(f"p{percent:g} has no bound: only what lies between 0 and 100 has one")
    share = max(percent, 100 - percent) / 100
    return math.ceil(math.log((1 - confidence) / 2) / math.log(share))


def by_batches(
    values: Sequence[float], percent: float, ordered: Sequence[float] | None = None
) -> Estimate:
    """The percentile of values in the order in which their jobs were due.

    The run is cut into ten batches. In each, the share of values up to the percentile is
    taken; the shares' variance is that of the estimate of p, whatever the dependence within a
    batch, and the ordered values at p -+ t * s bound the percentile (batch means on the
    indicator; Heidelberger and Lewis, Oper. Res. 32 (1984) 185, and Law, Simulation Modeling
    and Analysis, 5th ed., 9.5). There is no interval where the batches resemble their
    neighbours (von Neumann), where values rose above the percentile in too few separate
    spells, or where the interval has no end. Infinite values (jobs that did not end) count.
    ``ordered`` are the same values in ascending order, where they are at hand.
    """
    count = len(values) // BATCHES * BATCHES
    kept = values[len(values) - count :]
    ordered = sorted(values) if ordered is None else ordered
    value = at_rank(ordered, percent) if ordered else None
    name = f"p{percent:g}"
    least = needed(percent)
    if value is None or len(values) < least or not count:
        return _none(
            value, f"a bound of {name} needs {least:,} independent values, here are {len(values):,}"
        )
    wanted = SPELLS if percent >= 90 else SPELLS_BELOW_P90
    spells = _spells(kept, at_rank(ordered, 25), value)
    if spells < wanted:
        return _none(
            value,
            f"durations rose above {name} in {spells} separate spells, an interval needs {wanted}",
        )
    shares = _shares(kept, value)
    if von_neumann(shares) < -_Z or von_neumann(_shares(kept, at_rank(ordered, 50))) < -_Z:
        return _none(value, "neighbouring tenths of the run resemble each other")
    middle = fmean(shares)
    variance = sum((share - middle) ** 2 for share in shares) / (BATCHES - 1)
    half = _T * math.sqrt(variance / BATCHES)
    low, high = percent / 100 - half, percent / 100 + half
    if high >= 1 or low <= 0:
        return _none(value, f"the interval of {name} has no end on one side")
    return Estimate(value, Interval(_at(ordered, low), _at(ordered, high), CONFIDENCE))


def by_cycles(values: Sequence[float]) -> Estimate:
    """The median of one percentile, measured in each of several cycles, and its interval.

    A cycle begins when the one before has ended, so cycles are independent replicates. The
    order statistics at which the binomial distribution of the median leaves no more than
    2.5 % on either side bound it, whatever the distribution (Conover, Practical
    Nonparametric Statistics, 3rd ed., 3.2); Student's t would cover 85 to 92 % here, for
    percentiles are skewed.
    """
    ordered = sorted(values)
    value = median(ordered) if ordered else None
    if len(ordered) < FEWEST_CYCLES:
        return _none(
            value,
            f"an interval from cycles needs {FEWEST_CYCLES}, there were {len(ordered)}",
        )
    outside = _outside(len(ordered))
    return Estimate(value, Interval(ordered[outside], ordered[-1 - outside], CONFIDENCE))


def von_neumann(values: Sequence[float]) -> float:
    """Von Neumann's ratio as a standard normal: far below 0 where neighbours resemble each other.

    The mean square of successive differences over the variance has, for n independent normal
    values, the mean 2 and the variance 4 (n - 2) / ((n - 1) (n + 1)) (Ann. Math. Stat. 12
    (1941) 367). 0 for values that are all alike.
    """
    n = len(values)
    middle = fmean(values)
    spread = sum((value - middle) ** 2 for value in values)
    if n < 3 or spread == 0:
        return 0.0
    ratio = sum((later - earlier) ** 2 for earlier, later in pairwise(values)) / spread
    return (ratio - 2) / math.sqrt(4 * (n - 2) / ((n - 1) * (n + 1)))


def _none(value: float | None, why: str) -> Estimate:
    return Estimate(value, None, f"within this run only: {why}")


def _shares(values: Sequence[float], bound: float) -> list[float]:
    """The share of values up to ``bound``, batch by batch."""
    size = len(values) // BATCHES
    return [
        sum(value <= bound for value in values[start : start + size]) / size
        for start in range(0, size * BATCHES, size)
    ]


def _spells(values: Sequence[float], floor: float, bound: float) -> int:
    """How often the values rise from ``floor`` or below to above ``bound``."""
    spells, is_below = 0, True
    for value in values:
        if value > bound:
            spells += is_below
            is_below = False
        elif value <= floor:
            is_below = True
    return spells


def _at(ordered: Sequence[float], share: float) -> float:
    return ordered[rank(len(ordered), round(100 * share, 9)) - 1]


def _outside(count: int) -> int:
    """How many of ``count`` values may lie outside on each side, by the binomial distribution."""
    allowed = (1 - CONFIDENCE) / 2 * 2**count
    total = 0
    for outside in range(count):
        total += math.comb(count, outside)
        if total > allowed:
            return outside - 1
    return 0
