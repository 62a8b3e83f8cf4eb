"""Moments of the Kiosk on the generator's clock, bounded by polls, answers and clock offsets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

#: Where the end of a job was read: a stamp of the Kiosk's, or the polls alone.
Source = Literal["finished_at", "updated_at", "observed"]
#: The least and the most by which a clock is ahead at a moment of ours; None: not known.
OffsetOf = Callable[[str, float], Sequence[float] | None]

#: The frontend's stamps are cut off to whole milliseconds, and clocks drift between samples.
RESOLUTION_S = 2e-3


class Moment(NamedTuple):
    """A moment in epoch seconds of the generator's clock; the truth lies from low to high.

    ``at`` is the best single value. ``is_stamped`` is false where no stamp of the Kiosk's could
    be used, and ``at`` is only the middle between two moments of ours.
    """

    at: float
    low: float
    high: float
    is_stamped: bool = True

    @property
    def error_s(self) -> float:
        """How far the truth may be from ``at``."""
        return max(self.high - self.at, self.at - self.low)


class End(NamedTuple):
    """The end of a job, and where it was read."""

    moment: Moment
    source: Source


def between(after: float, before: float) -> Moment:
    """The middle of two moments that a third is known to lie between."""
    return Moment((after + before) / 2, after, before, is_stamped=False)


def stamped(
    stamp: float | None, offset: Sequence[float] | None, after: float, before: float
) -> Moment:
    """A stamp of another clock that was made between two moments of ours.

    ``offset`` has the least and the most by which that clock is ahead, None where that is not
    known. A stamp that fits is taken as it is: nothing shows that the clocks differ. One that
    does not is set right where the offset is known; else the two moments alone are left.
    """
    if stamp is None:
        return between(after, before)
    if offset is None:
        fits = after <= stamp <= before
        return Moment(stamp, after, before) if fits else between(after, before)
    low, high = max(after, stamp - offset[1]), min(before, stamp - offset[0])
    if high < low <= high + RESOLUTION_S:  # the bounds miss one another by a stamp's resolution
        low, high = max(after, high - RESOLUTION_S), min(before, low + RESOLUTION_S)
    if low > high:  # the clock was stepped, or the stamp is wrong
        return between(after, before)
    return Moment(stamp if low <= stamp <= high else (low + high) / 2, low, high)


def end(
    finished_at: float | None,
    updated_at: float | None,
    offset: Sequence[float] | None,
    after: float,
    before: float,
) -> End:
    """The end of a job, which the poll sent at ``after`` did not see, the answer at ``before`` did.

    Without ``finished_at`` (consumers leave it out of failed jobs), ``updated_at`` of the final
    status stands in: it is written with the status, and whoever touches the hash later moves it
    forward. So it is an upper bound; the lower one is the poll's.
    """
    if finished_at is not None:
        moment = stamped(finished_at, offset, after, before)
        return End(moment, "finished_at" if moment.is_stamped else "observed")
    moment = stamped(updated_at, offset, after, before)
    if not moment.is_stamped:
        return End(moment, "observed")
    return End(moment._replace(low=after), "updated_at")
