"""Percentiles where some jobs did not end, so that only the least of their duration is known.

Memory: the values once more, sorted; 32 MB for a million jobs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import merge

from kiosk_locust.measurement.estimates import Interval, MeasuredFigure, unmeasured
from kiosk_locust.measurement.percentiles import at_rank, rank

#: Rounding of a product of that many factors; far less than one job in a million.
_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Censored:
    """A percentile of jobs of which some did not end; seconds, None where there is none.

    ``ended_only_s`` leaves those out that did not end, and so hides an overload. ``least_s``
    is certain: it counts them with the age that they reached, which each of them exceeds.
    ``counted_s`` counts them as infinite: None where that makes the percentile infinite.
    ``kaplan_meier_s`` estimates what it had been, had they gone on; None where the estimate
    does not reach the percentile. It assumes that what ended the waiting knew nothing of the
    job's duration, which does not hold where a run is cut in mid-overload.
    """

    percent: float
    ended: int
    unended: int
    ended_only_s: float | None
    least_s: float | None
    counted_s: float | None
    kaplan_meier_s: float | None

    def figure(self, *, interval: Interval | None = None, why: str = "") -> MeasuredFigure:
        """What a threshold is compared with: jobs that did not end count as infinite."""
        if self.least_s is None:
            return unmeasured("no job was submitted")
        left = f"{self.unended:,} of {self.ended + self.unended:,} jobs did not end"
        if self.counted_s is None:
            known = "none ended" if self.ended_only_s is None else f"{self.ended_only_s:.4g} s"
            return MeasuredFigure(
                self.least_s, is_least=True, why=f"{left}; of the ended ones: {known}"
            )
        return MeasuredFigure(self.counted_s, interval=interval, why=why)


def percentile(ended: Sequence[float], unended: Sequence[float], percent: float) -> Censored:
    """A percentile of durations; ``unended`` are the ages that the others had reached.

    All in seconds, in any order. A ZIP counts as one job.
    """
    ended, unended = sorted(ended), sorted(unended)
    total = len(ended) + len(unended)
    wanted = rank(total, percent)
    if ended and not unended:  # all of these are the same then, and a million are walked once
        value = at_rank(ended, percent)
        return Censored(percent, len(ended), 0, value, value, value, value)
    return Censored(
        percent=percent,
        ended=len(ended),
        unended=len(unended),
        ended_only_s=at_rank(ended, percent) if ended else None,
        least_s=_nth(merge(ended, unended), wanted) if total else None,
        counted_s=ended[wanted - 1] if wanted <= len(ended) else None,
        kaplan_meier_s=_quantile(ended, unended, percent / 100),
    )


def survival(ended: Sequence[float], unended: Sequence[float]) -> Iterator[tuple[float, float]]:
    """The steps of Kaplan and Meier's estimate: (duration, share that takes longer).

    Both in ascending order. Of those at one and the same time, the ended ones come first
    (J. Am. Stat. Assoc. 53 (1958) 457, section 2). Between two that did not end, the product
    telescopes; it is formed so, which keeps rounding to a factor for each of the unended.
    """
    at_risk = len(ended) + len(unended)
    base, risk_at_base = 1.0, at_risk
    e = u = 0
    while e < len(ended):
        time = ended[e]
        before = u
        while u < len(unended) and unended[u] < time:
            u += 1
        if u > before:  # leave without a step; the product goes on from here
            base *= at_risk / risk_at_base
            at_risk -= u - before
            risk_at_base = at_risk
        same = e
        while e < len(ended) and ended[e] == time:
            e += 1
        at_risk -= e - same
        yield time, base * at_risk / risk_at_base


def _quantile(ended: Sequence[float], unended: Sequence[float], share: float) -> float | None:
    """The least duration that no more than 1 - share of the jobs exceed."""
    for time, longer in survival(ended, unended):
        if longer <= 1 - share + _TOLERANCE:
            return time
    return None


def _nth(values: Iterator[float], number: int) -> float:
    """The ``number``-th value, from 1."""
    for position, value in enumerate(values, 1):
        if position == number:
            return value
    return math.nan
