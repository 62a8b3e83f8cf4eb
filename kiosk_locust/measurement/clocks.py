"""How far the Kiosk's clocks are from ours, bounded and never guessed.

Each message that a clock stamps while we know that the moment lies between two of our own
bounds its offset; the bounds of many messages together are their intersection (Marzullo and
Owicki, ACM PODC 1983). A clock may drift within ``DRIFT``; where the intersection is empty all
the same, it was stepped, or a stamp is wrong.

Memory: 64 bytes a sample.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

#: Two undisciplined quartz clocks part by less than this, seconds a second (100 ppm each).
DRIFT = 2e-4
#: The frontend stamps whole milliseconds, cut off; consumers stamp microseconds.
FRONTEND_RESOLUTION_S = 1e-3
CONSUMER_RESOLUTION_S = 1e-6
#: The name that the frontend's samples are kept under; a consumer has that of ``updated_by``.
FRONTEND = "frontend"


class Sample(NamedTuple):
    """A stamp of another clock, made between two moments of ours; all in epoch seconds."""

    stamp: float
    after: float
    before: float
    resolution_s: float = 0.0  # the stamp may be cut off by as much

    @property
    def low_s(self) -> float:
        """The least that the other clock may be ahead of ours."""
        return self.stamp - self.before

    @property
    def high_s(self) -> float:
        """The most that the other clock may be ahead of ours."""
        return self.stamp + self.resolution_s - self.after


class Bound(NamedTuple):
    """The seconds by which another clock is ahead of ours lie between these two."""

    low_s: float
    high_s: float

    @property
    def offset_s(self) -> float:
        """The middle."""
        return (self.low_s + self.high_s) / 2

    @property
    def error_s(self) -> float:
        """How far the truth may be from the middle; negative where there is no truth."""
        return (self.high_s - self.low_s) / 2

    @property
    def is_empty(self) -> bool:
        """Whether no offset suits all samples: the clock was stepped, or a stamp is wrong."""
        return self.low_s > self.high_s


class Offset:
    """What is known of one clock's offset at any time, from all samples of it."""

    def __init__(self, samples: Iterable[Sample], drift: float = DRIFT) -> None:
        ordered = sorted(samples, key=lambda sample: sample.before)
        self._drift = drift
        self._at = array("d", (sample.before for sample in ordered))
        # The stamp was made a little before ``before``, and so much may the clock have drifted.
        slack = [drift * (sample.before - sample.after) for sample in ordered]
        self._lows = array("d", (each.low_s - s for each, s in zip(ordered, slack, strict=True)))
        self._highs = array("d", (each.high_s + s for each, s in zip(ordered, slack, strict=True)))
        self._low = self._best(self._lows)
        self._high = [-value for value in self._best([-high for high in self._highs])]

    def __len__(self) -> int:
        return len(self._at)

    def at(self, moment: float) -> Bound | None:
        """The bound at a moment of our clock; None without any sample.

        Between two samples both hold, each loosened by the drift that may have been since.
        """
        times = self._at
        count = len(times)
        if not count:
            return None
        after = bisect_right(times, moment)
        left = after - 1 if after else 0  # written out: each job of a run asks twice
        loss = self._drift * abs(moment - times[left])
        low, high = self._low[left] - loss, self._high[left] + loss
        if 0 < after < count:
            loss = self._drift * (times[after] - moment)
            least, most = self._low[after] - loss, self._high[after] + loss
            low = max(low, least)
            high = min(high, most)
        return Bound(low, high)

    def middle(self) -> Bound | None:
        """The bound at the middle one of the samples; None without any."""
        return self.at(self._at[len(self._at) // 2]) if self._at else None

    def widest(self) -> Bound | None:
        """The widest bound at any sample; None without samples."""
        bounds = (bound for moment in self._at if (bound := self.at(moment)))
        return max(bounds, key=lambda bound: bound.error_s, default=None)

    def steps(self) -> tuple[float, ...]:
        """The moments (our clock) at which no offset suits both what came before and after.

        A stretch goes on while its samples have an offset in common; a single wrong stamp makes
        two steps, one there and one back.
        """
        found: list[float] = []
        low, high, last = float("-inf"), float("inf"), 0.0
        for moment, least, most in zip(self._at, self._lows, self._highs, strict=True):
            loss = self._drift * (moment - last)
            low, high, last = max(low - loss, least), min(high + loss, most), moment
            if low > high:
                found.append(moment)
                low, high = least, most
        return tuple(found)

    def _best(self, lows: Sequence[float]) -> array[float]:
        """At each sample, the greatest lower bound that any sample gives, loosened by drift."""
        found = array("d", lows)
        gaps = [self._drift * (late - early) for early, late in pairwise(self._at)]
        for index, loss in enumerate(gaps):
            found[index + 1] = max(found[index + 1], found[index] - loss)
        for index in range(len(gaps) - 1, -1, -1):
            found[index] = max(found[index], found[index + 1] - gaps[index])
        return found
